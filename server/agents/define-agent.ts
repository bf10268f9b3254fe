import type { LanguageModelV4 } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { z } from 'zod';
import type { RemoteAgent } from './ag-ui/remote-agent.ts';
import type { Tool } from './define-tool.ts';

/** A tool call of the run and what came of it, in the order of the log. */
export interface ToolResult {
  readonly call_id: string;
  readonly tool: string;
  readonly input: unknown;
  readonly ok: boolean;
  readonly output: unknown;
}

export interface AgentBounds {
  /** Model calls in one run. */
  readonly max_steps: number;
  /** Events in one run's log. */
  readonly max_events: number;
  /** Tokens that a model call may be asked with, counted high: more, and the run fails. */
  readonly max_prompt_tokens: number;
  /** Of these, at most for the conversation before the run, and never more than a quarter; 0 = it is told nothing. */
  readonly max_history_tokens: number;
  /** Enforced on every model call, so that a hold can be sized by it. */
  readonly max_output_tokens: number;
}

/** A model that an agent brings itself. */
export interface OwnModel {
  /** Kept by the run; what the price book knows it by. */
  readonly name: string;
  open(input: unknown): LanguageModelV4;
}

/** An agent as data: what it is told, what it may call, and how its answer is put together. Fees live in plans/. */
export interface Agent {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly instructions: string;
  /** `default`: the configured endpoint, else the planner. `rehearsal`: no model at all. */
  readonly model: 'default' | 'rehearsal' | OwnModel;
  readonly tools: readonly Tool[];
  readonly bounds: AgentBounds;
  /** The most that a run may cost with its fee; it asks before it goes beyond. */
  readonly budget_micro?: bigint;
  /** It runs elsewhere: this is where, and no model is asked here. */
  readonly remote?: RemoteAgent;
  /** How many tool results make a whole answer: a run that stops early pays for the share the log shows. */
  readonly expected_results: number;
  /** Throws `invalid_request` that says what is wrong. */
  parseInput(input: unknown): unknown;
  /** What the run's user said, for the model. */
  question(input: unknown): string;
  /** The run's `output`: figures come from tool results, only `text` is the model's own. */
  complete(run: { readonly results: readonly ToolResult[]; readonly text: string; readonly input: unknown }): unknown;
}

export interface AgentDefinition<Schema extends z.ZodType> extends Omit<
  Agent,
  'bounds' | 'parseInput' | 'question' | 'complete'
> {
  readonly bounds?: Partial<AgentBounds>;
  readonly input: Schema;
  question(input: z.output<Schema>): string;
  complete(run: {
    readonly results: readonly ToolResult[];
    readonly text: string;
    readonly input: z.output<Schema>;
  }): unknown;
}

const default_bounds: AgentBounds = {
  max_steps: 24,
  max_events: 2_000,
  max_prompt_tokens: 400_000,
  max_history_tokens: 32_000,
  max_output_tokens: 4_096,
};

/** Answers that may break off in one run: each costs what had come of it. */
export const max_broken_answers = 8;

/** Makes an agent; its input is parsed wherever it enters, so that the rest sees only what the schema lets through. */
export function defineAgent<Schema extends z.ZodType>(definition: AgentDefinition<Schema>): Agent {
  const parse = (input: unknown): z.output<Schema> => {
    const parsed = definition.input.safeParse(input);
    if (parsed.success) return parsed.data;
    const message = `the input does not fit the agent ${definition.name}: ${z.prettifyError(parsed.error)}`;
    throw new NetraError('invalid_request', message, { agent: definition.name });
  };
  return {
    ...definition,
    bounds: { ...default_bounds, ...definition.bounds },
    parseInput: parse,
    question: (input) => definition.question(parse(input)),
    complete: (run) => definition.complete({ ...run, input: parse(run.input) }),
  };
}
