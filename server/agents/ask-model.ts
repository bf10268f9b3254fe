import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { callModel, type Answer } from './call-model.ts';
import { describeModelError, isRetryableModelError, ModelFailure } from './model-failure.ts';
import { resumeText } from './resume-text.ts';
import { say, type RunScope } from './run-scope.ts';

const max_attempts = 4;
const first_backoff_ms = 250;

/**
 * Asks the model for the next step and streams what it says into the log. A failure of a class that may pass is
 * tried again, with exponential backoff and full jitter; text that readers have seen is repeated or voided, never
 * doubled. Throws the last failure, or the signal's reason.
 */
export async function askModel(scope: RunScope): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await streamAnswer(scope);
    } catch (error) {
      scope.signal.throwIfAborted();
      // Ours, from the log: not the model's doing.
      if (error instanceof NetraError) throw error;
      if (attempt >= max_attempts || !isRetryableModelError(error)) {
        throw new ModelFailure(describeModelError(error), false, { cause: error });
      }
      const backoff_ms = first_backoff_ms * 2 ** (attempt - 1) * scope.ctx.platform.random();
      scope.ctx.platform.log.warn({ run_id: scope.claim.run_id, attempt, backoff_ms, err: error }, 'model call failed');
      await sleep(backoff_ms, undefined, { signal: scope.signal });
    }
  }
}

async function streamAnswer(scope: RunScope): Promise<Answer> {
  const resumer = resumeText(scope.conversation.partial());
  const answer = await callModel({
    model: scope.model,
    options: callOptions(scope),
    onText(kind, delta) {
      say(scope, resumer.push(kind, delta));
      return scope.writer.ready();
    },
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
