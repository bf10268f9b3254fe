import type { Statement } from '../../platform/index.ts';

/** What the books say of an agent that was brought. */
export interface OpenedAgent {
  readonly fee_micro: bigint;
  /** Null = every plan. */
  readonly plans: readonly string[] | null;
}

export function openAgentStatement(
  agent: string,
  fee_micro: bigint,
  plans: readonly string[] | null,
  by: string,
): Statement {
  return {
    name: 'plans.open_agent',
    text: 'select fee_micro, plans from netra.open_agent($1, $2, $3, $4)',
    values: [agent, fee_micro, plans, by],
  };
}

export function offerAgentStatement(agent: string, plans: readonly string[] | null, by: string): Statement {
  return { name: 'plans.offer_agent', text: 'select netra.offer_agent($1, $2, $3)', values: [agent, plans, by] };
}

export interface AgentOffer extends OpenedAgent {
  readonly agent: string;
  readonly changed_at: Date;
  readonly changed_by: string;
}

export function listAgentOffersStatement(): Statement {
  return {
    name: 'plans.list_agent_offers',
    text: `select agent, netra.agent_fee_of(agent) as fee_micro, plans, changed_at, changed_by
             from netra.agent_offer order by agent`,
    values: [],
  };
}
