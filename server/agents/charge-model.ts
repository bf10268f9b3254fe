import type { LanguageModelV4Prompt } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { priceOf, rateUsage, type RatedUsage } from '../billing/index.ts';
import { captureHold, extendHold } from '../ledger/index.ts';
import type { Answer } from './call-model.ts';
import { say, type RunScope } from './run-scope.ts';

interface Tokens {
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
}

/** What the hold covers of the next model call; null for a model without a price, which only costs the agent's fee. */
export type Ceiling = Tokens | null;

/**
 * Reserves the most that the next model call can cost: its prompt counted high, its output at the limit that the call
 * enforces, less what earlier calls left over. Throws `insufficient_credits`, and then nothing was called.
 */
export async function growHold(scope: RunScope): Promise<Ceiling> {
  const { ctx, claim, model, conversation, agent, spare } = scope;
  if (priceOf(model.modelId) === null) return null;
  const tokens = {
    input_tokens: countHigh(conversation.prompt(), agent.tools),
    cached_input_tokens: 0,
    output_tokens: agent.bounds.max_output_tokens,
  };
  const by_micro = rate(scope, tokens).cost_micro - spare.amount_micro;
  if (by_micro <= 0n) return tokens;
  const key = `${claim.run_id}/model/${conversation.steps}/hold`;
  await once(() => extendHold({ ctx, input: { hold_id: claim.hold_id, by_micro, key } }));
  spare.amount_micro += by_micro;
  return tokens;
}

/**
 * Charges what the call really cost and writes it into the log. A worker that died between the charge and the log makes
 * the call again: the key charges the organisation once, the second call is ours to pay.
 */
export async function chargeAnswer(scope: RunScope, ceiling: Ceiling, answer: Answer): Promise<void> {
  if (ceiling === null) return;
  const { ctx, claim, model, conversation, spare } = scope;
  const tokens = tokensOf(answer, ceiling);
  const { cost_micro: amount_micro, cost_usd, price_book_version: price_book } = rate(scope, tokens);
  const reason = `model ${model.modelId}`;
  const key = `${claim.run_id}/model/${conversation.steps}`;
  const captured = await once(() => captureHold({ ctx, input: { hold_id: claim.hold_id, amount_micro, reason, key } }));
  spare.amount_micro = amount_micro < spare.amount_micro ? spare.amount_micro - amount_micro : 0n;
  // A worker that died after it had recorded the charge, and before the answer: the call was made again, not the charge.
  if (captured === null || conversation.charged_step === conversation.steps) return;
  const usage = { model: model.modelId, ...tokens, cost_usd, price_book };
  const data = { amount_micro: `${amount_micro}`, reason, balance_micro: `${captured.balance_micro}`, usage };
  say(scope, [{ type: 'credits_charged', data }]);
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

function rate({ ctx, model }: RunScope, tokens: Tokens): RatedUsage {
  return rateUsage({ model: model.modelId, ...tokens, at: new Date(ctx.platform.clock.nowMs()) });
}

/** What the provider counted; where it says nothing, what was reserved. */
function tokensOf({ usage }: Answer, ceiling: Tokens): Tokens {
  const { inputTokens, outputTokens } = usage;
  return {
    input_tokens: inputTokens.total ?? ceiling.input_tokens,
    cached_input_tokens: inputTokens.cacheRead ?? 0,
    output_tokens: outputTokens.total ?? ceiling.output_tokens,
  };
}

/** Tokens that no tokenizer in use exceeds on text and JSON: one for two bytes, and a few for each message's frame. */
function countHigh(prompt: LanguageModelV4Prompt, tools: readonly unknown[]): number {
  const bytes = Buffer.byteLength(JSON.stringify(prompt)) + Buffer.byteLength(JSON.stringify(tools));
  return Math.ceil(bytes / 2) + 16 * prompt.length;
}
