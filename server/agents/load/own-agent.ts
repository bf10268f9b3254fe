import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import type { Step, Turn } from '@netra/agent';
import type { Outgoing } from '../../platform/index.ts';
import { toMicro } from '../../plans/index.ts';
import { isAllowance } from '../approvals.ts';
import { defineAgent, type Agent, type OwnModel, type ToolResult } from '../define-agent.ts';
import type { Tool } from '../define-tool.ts';
import { stepsModel, stepsModelName } from '../models/steps-model.ts';
import type { CheckedAgent } from './agent-schema.ts';
import type { Variable } from './variables.ts';

const max_question_chars = 100_000;
/** What a run is asked with where the agent does not say: a text, or one as `question`. */
export const askedInput = z.union([
  z.string().trim().min(1).max(max_question_chars),
  z.strictObject({ question: z.string().trim().min(1).max(max_question_chars) }),
]);

/** What the user said, of any input. */
export function wordsOf(input: unknown): string {
  if (typeof input === 'string') return input;
  const { question } = (input ?? {}) as { readonly question?: unknown };
  return typeof question === 'string' ? question : JSON.stringify(input ?? null);
}

/** The agent that a file defines, of its checked definition and the tools that were made ready for it. */
export function ownAgent(
  definition: CheckedAgent,
  toolsNow: () => readonly Tool[],
  variable: Variable,
  outgoing: Outgoing,
): Agent {
  const { name, title, description, instructions = '', bounds, budget } = definition;
  const question = (definition.question ?? wordsOf) as unknown as (input: unknown) => unknown;
  const complete = definition.complete as unknown as ((run: object) => unknown) | undefined;
  const agent = defineAgent({
    name,
    title,
    description,
    instructions,
    model: ownModel(definition, variable, outgoing),
    tools: toolsNow(),
    bounds: Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined)),
    // Of a run that its user stops, the fee is for what was done: without a result, nothing was.
    expected_results: Math.max(1, toolsNow().length),
    ...(budget === undefined ? {} : { budget_micro: toMicro(budget) }),
    input: definition.input ?? askedInput,
    question: (input) => String(question(input)),
    complete: ({ input, text, results }) =>
      complete === undefined
        ? { text }
        : (complete({ input, text, results: results.filter(({ output }) => !isAllowance(output)).map(told) }) ?? null),
  });
  // What a server has now, also where it has told us of a change: looked at anew for each step.
  return Object.defineProperty({ ...agent }, 'tools', { get: toolsNow, enumerable: true });
}

function told({ tool, ok, output }: ToolResult) {
  return { tool, ok, output };
}

function ownModel({ model, steps }: CheckedAgent, variable: Variable, outgoing: Outgoing): 'default' | OwnModel {
  if (steps !== undefined) {
    const run = steps as unknown as (turn: Turn<unknown>) => AsyncIterable<Step> | Iterable<Step>;
    return { name: stepsModelName, open: (input) => stepsModel(run, input) };
  }
  if (model === undefined || model === 'default') return 'default';
  const { url, name, key_env } = model;
  const key = key_env === undefined ? undefined : variable(key_env);
  const provider = createOpenAICompatible({
    name: 'own',
    baseURL: url,
    includeUsage: true,
    fetch: (address, init) => outgoing.fetch(address instanceof Request ? address.url : address, init),
    ...(key === undefined ? {} : { apiKey: key }),
  });
  return { name, open: () => provider(name) };
}
