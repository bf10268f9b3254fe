import { NetraError } from '@netra/contract';
import { currentPrices, priceOf, type PriceList } from '../billing/index.ts';
import { oneRow, type Ctx } from '../platform/index.ts';
import { mostItCosts } from './call-tokens.ts';
import { max_broken_answers, type Agent } from './define-agent.ts';
import { agentsOf } from './find-agent.ts';
import { modelNameFor } from './models/choose-model.ts';
import { quoteRunStatement, type QuoteRow } from './sql/quote-run.ts';

export interface QuoteInput {
  readonly agent: string;
  /** Checked against what the agent takes, where given. */
  readonly input?: unknown;
  /** Micro-credits, as a decimal string. */
  readonly max_credits_micro?: string | undefined;
}

export interface RunQuote {
  readonly agent: string;
  readonly model: string;
  readonly fee_micro: bigint;
  /** Null: there are no past runs to tell by. */
  readonly expected_micro: bigint | null;
  readonly highest_micro: bigint;
  readonly basis: {
    readonly kind: 'history' | 'no_model_cost' | 'no_history' | 'not_charged';
    readonly runs: number;
    readonly percentile: number | null;
  };
  readonly balance_micro: bigint;
  readonly balance_after_micro: bigint | null;
  readonly can_start: boolean;
  readonly can_pay_highest: boolean;
}

/**
 * What a run would cost: the median of this organisation's past runs of the agent with this model, and the most that
 * the loop lets it cost. Nothing is held. Throws agent_not_in_plan, not_found, invalid_request, and budget_reached for a
 * cap below the fee, as admission would.
 */
export async function quoteRun({ ctx, input }: { ctx: Ctx; input: QuoteInput }): Promise<RunQuote> {
  const { platform, principal } = ctx;
  const agent = agentsOf(platform).find(({ name }) => name === input.agent);
  if (agent !== undefined && input.input !== undefined) agent.parseInput(input.input);
  const model = agent === undefined ? null : modelNameFor(agent, platform.config);
  const statement = quoteRunStatement(principal.org_id, principal.user_id, input.agent, model);
  const row = oneRow(await platform.postgres.call<QuoteRow>(statement));
  // The statement has refused an agent that is not here.
  if (agent === undefined || model === null) throw new NetraError('not_found', 'There is no such agent.');
  const { credits } = platform.config;
  if (credits === 'off') return uncharged(input.agent, model, row.balance_micro);
  const max_micro =
    credits === 'observe' || input.max_credits_micro === undefined ? null : BigInt(input.max_credits_micro);
  const { fee_micro, balance_micro } = row;
  if (max_micro !== null && max_micro < fee_micro) throw belowFee(fee_micro, max_micro);
  const cap = (amount_micro: bigint): bigint =>
    max_micro !== null && amount_micro > max_micro ? max_micro : amount_micro;
  const prices = await currentPrices(platform);
  const ceiling_micro = ceilingOf(agent, model, new Date(platform.clock.nowMs()), prices);
  const expected_micro = ceiling_micro === null ? fee_micro : expectedOf(row);
  const expected = expected_micro === null ? null : cap(expected_micro);
  // The bounds that the loop enforces: as many calls as it makes, each at its ceiling.
  const calls = BigInt(agent.bounds.max_steps + max_broken_answers);
  const highest_micro = cap(fee_micro + calls * (ceiling_micro ?? 0n));
  const can = (amount_micro: bigint): boolean => credits === 'observe' || canPay(row, amount_micro);
  return {
    agent: input.agent,
    model,
    fee_micro,
    expected_micro: expected,
    highest_micro,
    basis: basisOf(ceiling_micro !== null, row),
    balance_micro,
    balance_after_micro: expected === null ? null : balance_micro - expected,
    can_start: can(fee_micro),
    can_pay_highest: can(highest_micro),
  };
}

function expectedOf({ fee_micro, model_median_micro }: QuoteRow): bigint | null {
  return model_median_micro === null ? null : fee_micro + model_median_micro;
}

function basisOf(has_price: boolean, { past_runs: runs }: QuoteRow): RunQuote['basis'] {
  if (!has_price) return { kind: 'no_model_cost', runs, percentile: null };
  return runs === 0 ? { kind: 'no_history', runs, percentile: null } : { kind: 'history', runs, percentile: 50 };
}

/** The most that one call of the model costs by the prices in force; null if it has no price. */
function ceilingOf({ bounds }: Agent, model: string, at: Date, prices: PriceList): bigint | null {
  if (priceOf(model, at, prices) === null) return null;
  const most = { input_tokens: bounds.max_prompt_tokens, output_tokens: bounds.max_output_tokens };
  return mostItCosts(model, most, prices, at);
}

function canPay({ balance_micro, line_micro, cap_left_micro }: QuoteRow, amount_micro: bigint): boolean {
  const covered = line_micro === null || amount_micro <= balance_micro + line_micro;
  return covered && (cap_left_micro === null || amount_micro <= cap_left_micro);
}

function uncharged(agent: string, model: string, balance_micro: bigint): RunQuote {
  return {
    agent,
    model,
    fee_micro: 0n,
    expected_micro: 0n,
    highest_micro: 0n,
    basis: { kind: 'not_charged', runs: 0, percentile: null },
    balance_micro,
    balance_after_micro: balance_micro,
    can_start: true,
    can_pay_highest: true,
  };
}

function belowFee(fee_micro: bigint, max_micro: bigint): NetraError {
  return new NetraError('budget_reached', 'The agent’s fee alone is more than this run may cost.', {
    limit: 'max_credits',
    used: `${fee_micro}`,
    max: `${max_micro}`,
    plan_that_lifts_it: null,
  });
}
