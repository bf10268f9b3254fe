import { NetraError } from '@netra/contract';
import { currentPrices, priceOf, rateUsage, type PriceList } from '../billing/index.ts';
import { oneRow, type Statement } from '../platform/index.ts';
import { mostItCosts, tokensOf, type MostTokens, type Received } from './call-tokens.ts';
import { bytesOf, countHigh } from './count-high.ts';
import { ModelFailure } from './model-failure.ts';
import { say, type RunScope } from './run-scope.ts';
import { chargeRunStatement, type ChargedRow } from './sql/charge-run.ts';
import { growHoldStatement, type GrownRow } from './sql/grow-hold.ts';

/**
 * What the hold covers of the next model call, and the prices by which it does: the call is charged by them, also if
 * others come into force before it has ended. Null where a call costs nothing.
 */
export type Ceiling = (MostTokens & { readonly prices: PriceList; readonly at: Date }) | null;

/**
 * Reserves the most that the next model call can cost: its prompt counted high, its output at the limit that the call
 * enforces, less what earlier calls left over. Throws `spending_cap`, or what somebody has denied: `budget_reached`,
 * `insufficient_credits`; then nothing was called. `asked`: for credits, or whether the run may cost more, and it has to
 * be parked until there is an answer.
 */
export async function growHold(scope: RunScope): Promise<Ceiling | 'asked'> {
  const { ctx, claim, model, conversation, agent } = scope;
  const { credits } = ctx.platform.config;
  const { budget } = conversation;
  if (budget.denied) throw budget.reached(claim.fee_micro);
  // A model without a price only costs the agent's fee.
  if (credits === 'off') return null;
  const prices = await currentPrices(ctx.platform);
  const at = new Date(ctx.platform.clock.nowMs());
  if (priceOf(model.modelId, at, prices) === null) return null;
  const ceiling = {
    prices,
    at,
    input_tokens: countHigh(conversation.prompt(), agent.tools),
    output_tokens: agent.bounds.max_output_tokens,
  };
  if (ceiling.input_tokens > agent.bounds.max_prompt_tokens) {
    throw new ModelFailure(`the conversation has outgrown ${agent.bounds.max_prompt_tokens} tokens`, false);
  }
  const { hold_id, fee_micro } = claim;
  const most = { input_tokens: ceiling.input_tokens, output_tokens: ceiling.output_tokens };
  const ceiling_micro = mostItCosts(model.modelId, most, prices, at);
  const max_micro = credits === 'observe' ? null : budget.max_micro;
  const statement = growHoldStatement(claim, { hold_id, fee_micro, ceiling_micro, max_micro, credits });
  const hold = await reserve(scope, statement);
  if (hold === null) return 'asked';
  if (hold.within) return ceiling;
  say(scope, [budget.ask(hold, fee_micro, ceiling_micro)]);
  return 'asked';
}

/** Null: the credits are not there, and have been asked for. */
async function reserve(scope: RunScope, statement: Statement): Promise<GrownRow | null> {
  const { shortage } = scope.conversation;
  try {
    return oneRow(await scope.ctx.platform.postgres.call<GrownRow>(statement));
  } catch (error) {
    const short = error instanceof NetraError && error.code === 'insufficient_credits';
    if (!short || shortage.denied) throw error;
    say(scope, [shortage.ask(error)]);
    return null;
  }
}

/**
 * Charges what the call cost and writes it into the log. A worker that died between the charge and the log makes the
 * call again: the key charges the organisation once, the second call is ours to pay.
 */
export async function chargeAnswer(scope: RunScope, ceiling: Ceiling, received: Received): Promise<void> {
  if (ceiling === null) return;
  const { conversation, claim } = scope;
  // A worker that died after it had recorded the charge, and before the answer: the call was made again, not the charge.
  const recorded = conversation.charged_step === conversation.steps;
  const charge = await capture(scope, ceiling, received, `${claim.run_id}/model/${conversation.steps}`);
  if (charge !== null && !recorded) say(scope, [{ type: 'credits_charged', data: charge }]);
}

/** Charges an answer that broke off, or was no answer: the provider has worked and will bill it. */
export async function chargeBroken(scope: RunScope, ceiling: Ceiling, received: Received): Promise<void> {
  if (ceiling === null || (received.bytes === 0 && received.usage === null)) return;
  const { conversation, claim } = scope;
  const charge = await capture(scope, ceiling, received, `${claim.run_id}/broken/${conversation.broken}`);
  if (charge === null) return;
  say(scope, [{ type: 'credits_charged', data: { ...charge, usage: { ...charge.usage, broken_off: true } } }]);
}

/** Charges the hold; the event's data, or null where an earlier worker has charged another amount under this key. */
async function capture(scope: RunScope, ceiling: NonNullable<Ceiling>, received: Received, key: string) {
  const { ctx, claim, model, conversation, agent } = scope;
  const asked_bytes = bytesOf(conversation.prompt()) + bytesOf(agent.tools);
  const tokens = tokensOf(received, asked_bytes, ceiling);
  const rated = rateUsage({ model: model.modelId, ...tokens, at: ceiling.at }, ceiling.prices);
  const { cost_micro: amount_micro, cost_usd, price_book_version: price_book } = rated;
  const reason = `model ${model.modelId}`;
  const beyond = ctx.platform.config.credits === 'observe' ? 'observe' : 'plan';
  const input = { hold_id: claim.hold_id, amount_micro, reason, key, model: model.modelId, beyond } as const;
  const { postgres } = ctx.platform;
  const captured = await once(async () => oneRow(await postgres.call<ChargedRow>(chargeRunStatement(claim, input))));
  if (captured === null) return null;
  const usage = { model: model.modelId, ...written(tokens), cost_usd, price_book };
  return { amount_micro: `${amount_micro}`, reason, balance_micro: `${captured.balance_micro}`, usage };
}

/** As the log has them: the rarer parts only where there are some. */
function written({ cache_write_tokens, reasoning_tokens, ...tokens }: ReturnType<typeof tokensOf>) {
  return {
    ...tokens,
    ...(cache_write_tokens === 0 ? {} : { cache_write_tokens }),
    ...(reasoning_tokens === 0 ? {} : { reasoning_tokens }),
  };
}

/** Runs a movement; null if an earlier worker has moved another amount under this key. */
async function once<T>(move: () => Promise<T>): Promise<T | null> {
  try {
    return await move();
  } catch (error) {
    if (error instanceof NetraError && error.code === 'idempotency_key_reused') return null;
    throw error;
  }
}
