import { isErrorCode, NetraError, type NewEvent } from '@netra/contract';
import type { RawCall } from './call-model.ts';
import type { PreparedCall, Tool } from './define-tool.ts';
import { say, type RunScope } from './run-scope.ts';

/** A tool call with its place in the log. */
export interface Call {
  readonly call_id: string;
  readonly tool: string;
  readonly input: unknown;
}

interface ToolError {
  readonly code: string;
  readonly message: string;
}

/** Gives the model's calls their ids: numbered in the run, since models repeat theirs from step to step. */
export function numberCalls({ conversation }: RunScope, raw: readonly RawCall[]): Call[] {
  return raw.map(({ tool, input_json }, index) => ({
    call_id: `call_${conversation.calls + index + 1}`,
    tool: tool === '' ? 'unnamed' : tool.slice(0, 64),
    input: parseJson(input_json),
  }));
}

export function executing({ call_id, tool, input }: Call): NewEvent {
  return { type: 'tool_executing', data: { call_id, tool, input } };
}

/**
 * Runs calls whose `tool_executing` is committed, all at once, and writes each result as it comes. A wrong call gets
 * the reason as its result. Returns how many calls were wrong. Throws only the signal's reason.
 */
export async function callTools(scope: RunScope, calls: readonly Call[]): Promise<number> {
  const wrong = await Promise.all(calls.map((call) => callTool(scope, call)));
  scope.signal.throwIfAborted();
  return wrong.filter(Boolean).length;
}

async function callTool(scope: RunScope, call: Call): Promise<boolean> {
  const started_ms = performance.now();
  const complete = (result: { ok: true; output: unknown } | { ok: false; error: ToolError }): void => {
    const duration_ms = Math.round((performance.now() - started_ms) * 1000) / 1000;
    say(scope, [{ type: 'tool_completed', data: { call_id: call.call_id, tool: call.tool, ...result, duration_ms } }]);
  };
  const tool = scope.agent.tools.find(({ name }) => name === call.tool);
  const prepared = tool?.prepare(call.input) ?? { ok: false, message: unknownTool(scope, call.tool) };
  if (tool === undefined || !prepared.ok) {
    complete({ ok: false, error: { code: 'invalid_call', message: 'message' in prepared ? prepared.message : '' } });
    return true;
  }
  try {
    const output = await execute(scope, tool, prepared, call);
    if (!scope.signal.aborted) complete({ ok: true, output });
  } catch (error) {
    if (!scope.signal.aborted) complete({ ok: false, error: describeToolError(scope, call, error) });
  }
  return false;
}

async function execute(scope: RunScope, tool: Tool, prepared: PreparedCall, call: Call): Promise<unknown> {
  const idempotency_key = `${scope.claim.run_id}/${call.call_id}`;
  const output = await prepared.execute({ ctx: scope.ctx, signal: scope.signal, idempotency_key });
  const json = JSON.stringify(output) ?? 'null';
  if (Buffer.byteLength(json) > tool.max_output_bytes) {
    throw new NetraError('tool_failed', `the result is larger than ${tool.max_output_bytes} bytes: ask for less`);
  }
  return output ?? null;
}

/** A deliberate error says what it is; any other is logged whole and shown as what it is to the caller: a failure. */
function describeToolError({ ctx, claim }: RunScope, call: Call, error: unknown): ToolError {
  if (error instanceof NetraError && isErrorCode(error.code)) return { code: error.code, message: error.message };
  ctx.platform.log.error({ run_id: claim.run_id, call_id: call.call_id, tool: call.tool, err: error }, 'tool failed');
  return { code: 'tool_failed', message: `the tool ${call.tool} failed` };
}

function unknownTool({ agent }: RunScope, name: string): string {
  return `there is no tool ${name}; there are: ${agent.tools.map((tool) => tool.name).join(', ')}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text) as unknown;
  } catch {
    // Not JSON: no schema takes it, so the model gets it back with the reason.
    return text;
  }
}
