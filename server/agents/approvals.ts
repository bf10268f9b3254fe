import type { NewEvent } from '@netra/contract';
import { executing, type Call } from './call-tools.ts';
import type { RunScope } from './run-scope.ts';

/** Whether a person has to allow the call before it is made. */
export function askFirst({ agent, conversation }: Pick<RunScope, 'agent' | 'conversation'>, call: Call): boolean {
  const tool = agent.tools.find(({ name }) => name === call.tool);
  if (tool?.needsApproval?.(call.input) !== true) return false;
  // It is the call that a person has allowed already.
  return !conversation.results.some(({ ok, output }) => ok && isAllowedAs(output, call.call_id));
}

export function approvalsFor(calls: readonly Call[]): NewEvent[] {
  return calls.map(({ call_id, tool, input }) => {
    const reason = `The agent wants to call ${tool}. Allow it?`;
    return { type: 'approval_requested', data: { call_id, tool, input, reason } };
  });
}

/**
 * A call that was allowed becomes another one, under an id of its own, in the same append: whoever finds that one open
 * after a crash knows that it may have happened, and asks again where its effects are `once`.
 */
export function allowedCall({ call_id, tool, input }: Call, number: number): { call: Call; events: NewEvent[] } {
  const call = { call_id: `call_${number}`, tool, input };
  const output = { approved: true, runs_as: call.call_id };
  return {
    call,
    events: [{ type: 'tool_completed', data: { call_id, tool, ok: true, output, duration_ms: 0 } }, executing(call)],
  };
}

function isAllowedAs(output: unknown, call_id: string): boolean {
  return isAllowance(output) && output.runs_as === call_id;
}

/** The result of a call that was allowed, and went on under another id: it tells nothing of the tool. */
export function isAllowance(output: unknown): output is { readonly approved: true; readonly runs_as: string } {
  return typeof output === 'object' && output !== null && 'runs_as' in output && 'approved' in output;
}
