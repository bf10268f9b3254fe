import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import type { Received } from './call-tokens.ts';
import type { TextKind } from './conversation.ts';
import { ModelFailure } from './model-failure.ts';

/** A tool call as the model made it: the input is JSON text that nobody has checked yet. */
export interface RawCall {
  readonly tool: string;
  readonly input_json: string;
}

/** What one model call said. */
export interface Answer {
  readonly text: string;
  readonly calls: readonly RawCall[];
}

export interface ModelCall {
  readonly model: LanguageModelV4;
  readonly options: LanguageModelV4CallOptions;
  /** Gets each delta as it comes; the model is read on when it resolves. */
  onText(kind: TextKind, delta: string): Promise<void> | void;
  /** Told of every part that comes. */
  heard(): void;
  /** Counts all that the model says as it comes, the inputs of its tool calls as well; told also where it fails. */
  readonly received: Received;
}

/** Calls in one answer; more would be one append and one burst of work out of proportion. */
const max_calls = 32;

/** One streamed model call. Throws `ModelFailure`, or the provider's own error. */
export async function callModel({ model, options, onText, heard, received }: ModelCall): Promise<Answer> {
  const { stream } = await model.doStream(options);
  const calls: RawCall[] = [];
  let text = '';
  for await (const part of stream) {
    heard();
    if ('delta' in part) received.bytes += Buffer.byteLength(part.delta);
    options.abortSignal?.throwIfAborted();
    if (part.type === 'reasoning-delta') {
      if (part.delta !== '') await onText('agent_thinking', part.delta);
    } else if (part.type === 'text-delta') {
      text += part.delta;
      if (part.delta !== '') await onText('agent_message', part.delta);
    } else if (part.type === 'tool-call') {
      if (calls.push({ tool: part.toolName, input_json: part.input }) > max_calls) {
        throw new ModelFailure(`the model made more than ${max_calls} tool calls at once`, false);
      }
    } else if (part.type === 'error') {
      throw part.error;
    } else if (part.type === 'finish') {
      received.usage = part.usage;
      checkFinish(part.finishReason.unified);
      return { text, calls };
    }
  }
  throw new ModelFailure('the model stopped in the middle of its answer', true);
}

function checkFinish(reason: string): void {
  if (reason === 'interrupted' || reason === 'error') throw new ModelFailure(`the model ended with: ${reason}`, true);
  if (reason === 'content-filter') throw new ModelFailure('the model’s content filter refused to answer', false);
}
