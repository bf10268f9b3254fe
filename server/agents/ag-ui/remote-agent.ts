import { isAllowance } from '../approvals.ts';
import type { ToolResult } from '../define-agent.ts';
import type { Effects } from '../define-tool.ts';

/** An agent that speaks AG-UI 1.0 at a URL. */
export interface RemoteAgent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What a whole run there does outside. */
  readonly effects: Effects;
  readonly max_bytes: number;
  readonly silence_ms: number;
  /** Guarded; the last argument is how many bytes of an answer are read. */
  readonly fetch: (url: string, init: RequestInit, max_bytes: number) => Promise<Response>;
}

/**
 * The run there is a call here, the first of the log: so what was begun and has no result is known after a crash, and its
 * effects say what may be done. Where a person has allowed it again, it goes on under another id.
 */
export function mainCall(results: readonly Pick<ToolResult, 'call_id' | 'output'>[]): string {
  let main = 'call_1';
  for (const { call_id, output } of results) if (call_id === main && isAllowance(output)) main = output.runs_as;
  return main;
}
