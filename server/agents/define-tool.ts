import type { JSONSchema7 } from '@ai-sdk/provider';
import { z } from 'zod';
import type { Ctx } from '../platform/index.ts';

/**
 * What a tool does outside the run, and so what a worker that takes the run over may do with a call whose result the
 * log does not have: `none` and `idempotent` run again with the same idempotency key, `once` asks the user.
 */
export type Effects = 'none' | 'idempotent' | 'once';

export interface ToolCall<Input> {
  readonly ctx: Ctx;
  readonly input: Input;
  /** Aborts when the run is cancelled, out of time, or taken over. */
  readonly signal: AbortSignal;
  /** `run/call`: the same for every attempt at this call. */
  readonly idempotency_key: string;
}

/** A call whose input fits the tool's schema, ready to be executed. */
export interface PreparedCall {
  readonly ok: true;
  execute(call: Omit<ToolCall<unknown>, 'input'>): Promise<unknown>;
}

export interface RefusedCall {
  readonly ok: false;
  /** For the model: what is wrong with the input. */
  readonly message: string;
}

/** What an agent may call. Made by `defineTool`, which hides the input's type behind `prepare`. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly effects: Effects;
  /** A larger result is refused: it would bloat every later prompt and the log. */
  readonly max_output_bytes: number;
  readonly input_schema: JSONSchema7;
  /** Whether a person has to allow this call first. */
  needsApproval?(input: unknown): boolean;
  prepare(input: unknown): PreparedCall | RefusedCall;
}

export interface ToolDefinition<Schema extends z.ZodType> {
  readonly name: string;
  readonly description: string;
  readonly effects: Effects;
  readonly input: Schema;
  readonly max_output_bytes?: number;
  execute(call: ToolCall<z.output<Schema>>): Promise<unknown>;
}

const default_max_output_bytes = 64 * 1024;

/** Makes a tool from its zod input schema. The schema is both what the model is told and what its calls must fit. */
export function defineTool<Schema extends z.ZodType>(definition: ToolDefinition<Schema>): Tool {
  return {
    name: definition.name,
    description: definition.description,
    effects: definition.effects,
    max_output_bytes: definition.max_output_bytes ?? default_max_output_bytes,
    // zod emits draft 7 when asked; its type is wider than the interface's, the document is the same.
    input_schema: z.toJSONSchema(definition.input, { target: 'draft-7', io: 'input' }) as JSONSchema7,
    prepare(input) {
      const parsed = definition.input.safeParse(input);
      if (!parsed.success) return { ok: false, message: z.prettifyError(parsed.error) };
      return { ok: true, execute: (call) => definition.execute({ ...call, input: parsed.data }) };
    },
  };
}
