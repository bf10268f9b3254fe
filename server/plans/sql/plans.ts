import type { Statement } from '../../platform/index.ts';
import type { DatedPlan } from './plan-book.ts';

/** What the plan allows the organisation in its current period; null = no limit. */
export interface PlanTerms {
  readonly plan_id: string;
  readonly runs_month: number | null;
  readonly seconds_run: number;
  readonly concurrent_runs: number;
  readonly requests_hour: number | null;
  readonly agents: readonly string[];
  /** Runs of a higher one are claimed first. */
  readonly priority: number;
  readonly period_start: Date;
  readonly period_end: Date;
  readonly features: readonly string[];
}

const terms = `plan_id, runs_month, seconds_run, concurrent_runs, requests_hour, agents, priority, period_start,
               period_end, features`;

export function planOfStatement(org_id: string): Statement {
  return { name: 'plans.plan_of', text: `select ${terms} from netra.plan_of($1)`, values: [org_id] };
}

export function subscribeStatement(org_id: string, subscription_id: string, plan: string): Statement {
  return {
    name: 'plans.subscribe',
    text: `select ${terms} from netra.subscribe($1, $2, $3)`,
    values: [org_id, subscription_id, plan],
  };
}

export interface PlanChange {
  /** The plan in force now. */
  readonly plan_id: string;
  /** The plan that waits for the end of the period; null if none does. */
  readonly next_plan_id: string | null;
  readonly effective_at: Date;
  /** The prorated difference that an upgrade gave at once. */
  readonly granted_micro: bigint;
}

export function changePlanStatement(org_id: string, plan: string): Statement {
  return {
    name: 'plans.change_plan',
    text: 'select plan_id, next_plan_id, effective_at, granted_micro from netra.change_plan($1, $2)',
    values: [org_id, plan],
  };
}

/** As above; refuses a plan that is to be paid first. */
export function changeUnpaidPlanStatement(org_id: string, plan: string): Statement {
  return {
    name: 'plans.change_unpaid_plan',
    text: 'select plan_id, next_plan_id, effective_at, granted_micro from netra.change_unpaid_plan($1, $2)',
    values: [org_id, plan],
  };
}

export function grantPeriodStatement(org_id: string): Statement {
  return {
    name: 'plans.grant_period',
    text: 'select netra.grant_period($1) as granted_micro',
    values: [org_id],
  };
}

export function orgsDueStatement(limit: number): Statement {
  return { name: 'plans.orgs_due', text: 'select org_id from netra.orgs_due($1)', values: [limit] };
}

export function planThatLiftsStatement(limit: string, need: bigint | null, name: string | null): Statement {
  return {
    name: 'plans.plan_that_lifts',
    text: 'select netra.plan_that_lifts($1, $2, $3) as plan_id',
    values: [limit, need, name],
  };
}

/** A plan as it is on sale now. */
export type PlanRow = Pick<
  DatedPlan,
  | 'plan_id'
  | 'price_usd'
  | 'credits_micro'
  | 'runs_month'
  | 'seconds_run'
  | 'concurrent_runs'
  | 'requests_hour'
  | 'agents'
  | 'features'
>;

export function listPlansStatement(): Statement {
  return {
    name: 'plans.list_plans',
    text: `select plan_id, price_usd, credits_micro, runs_month, seconds_run, concurrent_runs, requests_hour,
                  agents || netra.offered_agents(plan_id, agents) as agents, features
             from (select distinct on (plan_id) * from netra.plan where valid_from <= now()
                    order by plan_id, valid_from desc) on_sale
            where on_sale.on_sale
            order by on_sale.price_usd, plan_id`,
    values: [],
  };
}

export interface AgentTermsRow {
  readonly agent: string;
  readonly fee_micro: bigint;
  readonly in_plan: boolean;
  readonly plan_that_lifts_it: string | null;
}

export function listAgentTermsStatement(org_id: string): Statement {
  return {
    name: 'plans.list_agent_terms',
    text: `select fee.agent, fee.fee_micro, fee.agent = any (terms.agents) as in_plan,
                  case when fee.agent <> all (terms.agents)
                       then netra.plan_that_lifts('agents', null, fee.agent) end as plan_that_lifts_it
             from netra.plan_of($1) terms
            cross join (select distinct on (agent) agent, fee_micro from netra.agent_fee where valid_from <= now()
                         order by agent, valid_from desc) fee
            order by fee.fee_micro, fee.agent`,
    values: [org_id],
  };
}
