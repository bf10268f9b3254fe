import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider';
import type { Step, Turn } from '@netra/agent';
import { isAllowance } from '../approvals.ts';
import { ModelFailure } from '../model-failure.ts';
import { promptQuestion, promptResults } from './read-prompt.ts';
import { noUsage } from './stream-parts.ts';

/** The model's name of an agent that is code: no price book has it. */
export const stepsModelName = 'code';

const max_message = 500;

/**
 * An agent that is code, as a language model: asked with the results so far, it says what it says and calls what it
 * calls. So a crash costs it no more than any other: what has a result is not called again.
 */
export function stepsModel(steps: (turn: Turn<unknown>) => AsyncIterable<Step> | Iterable<Step>, input: unknown) {
  return {
    specificationVersion: 'v4',
    provider: 'own',
    modelId: stepsModelName,
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('steps are streamed')),
    async doStream(options) {
      const parts = partsOf(steps, input, options);
      return {
        stream: new ReadableStream<LanguageModelV4StreamPart>({
          async pull(controller) {
            const next = await parts.next();
            if (next.done === true) controller.close();
            else controller.enqueue(next.value);
          },
          cancel: async () => void (await parts.return(undefined)),
        }),
      };
    },
  } satisfies LanguageModelV4;
}

async function* partsOf(
  steps: (turn: Turn<unknown>) => AsyncIterable<Step> | Iterable<Step>,
  input: unknown,
  { prompt, abortSignal }: LanguageModelV4CallOptions,
): AsyncGenerator<LanguageModelV4StreamPart> {
  const question = promptQuestion(prompt);
  const asked = prompt.findLastIndex(({ role }) => role === 'user');
  const said = promptResults(prompt.slice(asked)).filter(({ value }) => !isAllowance(value));
  const results = said.map(({ tool, ok, value }) => ({ tool, ok, output: value }));
  const signal = abortSignal ?? new AbortController().signal;
  let calls = 0;
  try {
    for await (const step of steps({ input, question, results, signal })) {
      if ('text' in step) yield { type: 'text-delta', id: 't', delta: String(step.text) };
      else if ('thinking' in step) yield { type: 'reasoning-delta', id: 'r', delta: String(step.thinking) };
      else yield toolCall(step, (calls += 1));
    }
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    throw new ModelFailure(`the agent’s steps failed: ${message.slice(0, max_message)}`, false, { cause: error });
  }
  const unified = calls > 0 ? 'tool-calls' : 'stop';
  yield { type: 'finish', usage: noUsage, finishReason: { unified, raw: unified } };
}

function toolCall({ call, input }: Extract<Step, { call: string }>, number: number): LanguageModelV4StreamPart {
  return { type: 'tool-call', toolCallId: `s${number}`, toolName: call, input: JSON.stringify(input ?? {}) };
}
