/** A tool call of this run and what came of it, in order. */
export interface TurnResult {
  readonly tool: string;
  readonly ok: boolean;
  /** What the tool gave, or `{ code, message }`. */
  readonly output: unknown;
}

/** What an agent that is code is asked with: once at the beginning, and again after each of its tool calls. */
export interface Turn<Input> {
  readonly input: Input;
  /** The user's words, as `question` makes them of the input. */
  readonly question: string;
  /** Results of the calls so far. After a crash they come from the log: nothing that has a result is called again. */
  readonly results: readonly TurnResult[];
  readonly signal: AbortSignal;
}

/** What it says, thinks, or has called. Calls of one turn run together; a turn without any is the last. */
export type Step =
  | { readonly text: string }
  | { readonly thinking: string }
  | { readonly call: string; readonly input?: unknown };
