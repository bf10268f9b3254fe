import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { callModel, type Answer } from './call-model.ts';
import type { Received } from './call-tokens.ts';
import { chargeAnswer, chargeBroken, growHold, type Ceiling } from './charge-model.ts';
import { max_broken_answers } from './define-agent.ts';
import { isLeftToOthers } from './end-run.ts';
import { describeModelError, isRetryableModelError, ModelFailure } from './model-failure.ts';
import { resumeText } from './resume-text.ts';
import { say, type RunScope } from './run-scope.ts';

const max_attempts = 4;
const first_backoff_ms = 250;

/**
 * Asks the model for the next step and streams what it says into the log. A failure of a class that may pass is
 * tried again, with exponential backoff and full jitter; text that readers have seen is repeated or voided, never
 * doubled. Each attempt is reserved before and charged after, whole or as far as it came. Null: the run has asked
 * whether it may cost more. Throws the last failure, or the signal's reason.
 */
export async function askModel(scope: RunScope): Promise<Answer | null> {
  for (let attempt = 1; ; attempt += 1) {
    const ceiling = await growHold(scope);
    if (ceiling === 'over_budget') return null;
    const received: Received = { bytes: 0, usage: null };
    const answer = await streamAnswer(scope, received).catch(async (error: unknown) => {
      await chargeFailure(scope, ceiling, received, error);
      await waitToRetry(scope, attempt, error);
      return null;
    });
    if (answer === null) continue;
    await chargeAnswer(scope, ceiling, received);
    return answer;
  }
}

/** What a failed call has cost. Throws what is not the model's doing. */
async function chargeFailure(scope: RunScope, ceiling: Ceiling, received: Received, error: unknown): Promise<void> {
  const { signal } = scope;
  // Ours, from the log.
  if (error instanceof NetraError && !signal.aborted) throw error;
  // The worker that goes on makes this call again, and charges it.
  if (isLeftToOthers(signal.reason)) signal.throwIfAborted();
  await chargeBroken(scope, ceiling, received);
  signal.throwIfAborted();
}

/** Throws the failure where another attempt would not help, or has been made too often. */
async function waitToRetry(scope: RunScope, attempt: number, error: unknown): Promise<void> {
  const { platform } = scope.ctx;
  const tired = attempt >= max_attempts || scope.conversation.broken >= max_broken_answers;
  if (tired || !isRetryableModelError(error))
    throw new ModelFailure(describeModelError(error), false, { cause: error });
  const backoff_ms = first_backoff_ms * 2 ** (attempt - 1) * platform.random();
  platform.log.warn({ run_id: scope.claim.run_id, attempt, backoff_ms, err: error }, 'model call failed');
  await sleep(backoff_ms, undefined, { signal: scope.signal });
}

async function streamAnswer(scope: RunScope, received: Received): Promise<Answer> {
  const resumer = resumeText(scope.conversation.partial());
  const answer = await callModel({
    model: scope.model,
    options: callOptions(scope),
    onText(kind, delta) {
      say(scope, resumer.push(kind, delta));
      return scope.writer.ready();
    },
    received,
  });
  say(scope, resumer.end());
  return answer;
}

function callOptions({ agent, conversation, signal }: RunScope): LanguageModelV4CallOptions {
  return {
    prompt: conversation.prompt(),
    maxOutputTokens: agent.bounds.max_output_tokens,
    tools: agent.tools.map(({ name, description, input_schema }) => ({
      type: 'function',
      name,
      description,
      inputSchema: input_schema,
    })),
    toolChoice: { type: 'auto' },
    abortSignal: signal,
  };
}
