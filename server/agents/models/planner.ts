import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { planStep } from './plan-step.ts';
import { promptQuestion, promptResults } from './read-prompt.ts';
import { generateResult, streamParts, streamResult, type Decision } from './stream-parts.ts';

/**
 * Rules behind the language-model interface: which tools to call next by what the results so far say, and at the end
 * the report as text. Deterministic, costs nothing, understands no question; it is the default so that everything
 * works where no model is configured.
 */
export const planner: LanguageModelV4 = {
  specificationVersion: 'v4',
  provider: 'netra',
  modelId: 'planner',
  supportedUrls: {},
  doGenerate: (options) => Promise.resolve(generateResult(decide(options))),
  doStream: (options) =>
    Promise.resolve(
      streamResult(streamParts(decide(options)), async (part) => {
        // A turn for each delta, so that readers see text come as from any model; no time passes.
        if (part.type === 'reasoning-delta' || part.type === 'text-delta') await nextTurn();
        options.abortSignal?.throwIfAborted();
      }),
    ),
};

function decide({ prompt, tools = [] }: LanguageModelV4CallOptions): Decision {
  return planStep({
    question: promptQuestion(prompt),
    tools: tools.map(({ name }) => name),
    results: promptResults(prompt).map(({ tool, ok, value }) => ({ tool, ok, output: value })),
  });
}
