import type { z } from 'zod';

/**
 * What a tool does outside the run, and so what a server that takes a run over may do with a call whose result was lost:
 * `none` and `idempotent` run again with the same idempotency key, `once` asks the user first.
 */
export type Effects = 'none' | 'idempotent' | 'once';

/** One call of a tool. */
export interface ToolCall<Input> {
  readonly input: Input;
  /** Aborts when the run is cancelled, out of time, or taken over: pass it on to whatever the tool waits for. */
  readonly signal: AbortSignal;
  /** The same for every attempt at this call: what an idempotent service asks for. */
  readonly idempotency_key: string;
  readonly run: string;
  /** Whose run it is. */
  readonly org: string;
  readonly user: string;
}

export interface ToolDefinition<Schema extends z.ZodType> {
  /** What the model calls it: letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  /** For the model: what it does, and when to call it. */
  readonly description: string;
  readonly effects: Effects;
  /** What its calls must fit. The model is shown the same as JSON Schema. */
  readonly input: Schema;
  /** `always`, or a look at the input: the run waits for a person's yes before the call. Default: `never`. */
  readonly approval?: 'never' | 'always' | ((input: z.output<Schema>) => boolean);
  /** How long one call may take. Default 60,000. */
  readonly timeout_ms?: number;
  /** A larger result is refused, and the model told so. Default 65,536. */
  readonly max_output_bytes?: number;
  /** Gives JSON, at once or as a promise. The model is told the message of what it throws, so throw nothing secret. */
  execute(call: ToolCall<z.output<Schema>>): unknown;
}

/** A tool whose input type is no longer of interest. */
export interface AnyTool {
  readonly kind: 'netra.tool';
  readonly definition: ToolDefinition<z.ZodType>;
}

export function defineTool<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): AnyTool {
  return { kind: 'netra.tool', definition: definition as unknown as ToolDefinition<z.ZodType> };
}
