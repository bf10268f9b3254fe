import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { callModel, type Answer } from './call-model.ts';
import type { Received } from './call-tokens.ts';
import { chargeAnswer, chargeBroken, growHold, type Ceiling } from './charge-model.ts';
import { isLeftToOthers } from './end-run.ts';
import { resumeText } from './resume-text.ts';
import { waitToRetry } from './retry-model.ts';
import { say, type RunScope } from './run-scope.ts';
import { watchSilence } from './watch-silence.ts';

/**
 * Asks the model for the next step and streams what it says into the log. A failure of a class that may pass is
 * tried again (retry-model.ts); text that readers have seen is repeated or voided, never doubled. Each attempt is
 * reserved before and charged after, whole or as far as it came. Null: the run has asked for credits, or whether it may
 * cost more. Throws the last failure, or the signal's reason.
 */
export async function askModel(scope: RunScope): Promise<Answer | null> {
  for (let attempt = 1; ; attempt += 1) {
    const ceiling = await growHold(scope);
    if (ceiling === 'asked') return null;
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

async function streamAnswer(scope: RunScope, received: Received): Promise<Answer> {
  const resumer = resumeText(scope.conversation.partial());
  const watch = watchSilence(scope.signal, scope.ctx.platform.config.model_silence_ms);
  try {
    const answer = await callModel({
      model: scope.model,
      options: { ...callOptions(scope), abortSignal: watch.signal },
      onText(kind, delta) {
        say(scope, resumer.push(kind, delta));
        return scope.writer.ready();
      },
      heard: watch.heard,
      received,
    });
    say(scope, resumer.end());
    return answer;
  } catch (error) {
    // Whatever the provider made of it, this is why.
    throw watch.signal.aborted ? watch.signal.reason : error;
  } finally {
    watch.stop();
  }
}

function callOptions({ agent, conversation }: RunScope): LanguageModelV4CallOptions {
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
  };
}
