import type { NewEvent } from '@netra/contract';
import { allowedCall, approvalsFor, askFirst } from './approvals.ts';
import { callTools, type Call } from './call-tools.ts';
import type { OpenCall } from './conversation.ts';
import { say, type RunScope } from './run-scope.ts';

/**
 * Finishes the calls that an earlier worker left open. Tools with `effects` none or idempotent run again under the
 * same idempotency key; `once` waits for the user's word, and so does a call that a person has to allow before it is
 * made. Returns false when the run has to be parked for it.
 */
export async function resumeCalls(scope: RunScope): Promise<boolean> {
  const open = [...scope.conversation.open.values()];
  const first = open.filter((call) => askFirst(scope, call));
  const rest = open.filter((call) => !first.includes(call));
  const again = rest.filter((call) => mayRunAgain(scope, call));
  const denied = open.filter((call) => call.approval === 'denied');
  const unasked = rest.filter((call) => !again.includes(call) && call.approval === 'not_asked');
  const allowed = first.filter((call) => call.approval === 'approved');
  const waiting = open.length - again.length - denied.length - allowed.length;
  const asks = approvalsFor(first.filter((call) => call.approval === 'not_asked'));
  say(scope, [...denied.map(deniedResult), ...unasked.map(approvalRequest), ...asks]);
  const calls = await beginAllowed(scope, allowed);
  if (again.length + calls.length > 0) await callTools(scope, [...again, ...calls]);
  return waiting === 0;
}

/** R2: a call that was allowed is in the log under its own id before it is made. */
async function beginAllowed(scope: RunScope, allowed: readonly Call[]): Promise<readonly Call[]> {
  const begun = allowed.map((call, index) => allowedCall(call, scope.conversation.calls + index + 1));
  if (begun.length === 0) return [];
  say(
    scope,
    begun.flatMap(({ events }) => events),
  );
  await scope.writer.flush();
  return begun.map(({ call }) => call);
}

function mayRunAgain({ agent }: RunScope, call: OpenCall): boolean {
  const tool = agent.tools.find(({ name }) => name === call.tool);
  // A tool that is gone has no effect: the call gets its error.
  return call.approval === 'approved' || (call.approval !== 'denied' && tool?.effects !== 'once');
}

function deniedResult({ call_id, tool }: Call): NewEvent {
  const error = { code: 'denied', message: 'the user did not allow this call' };
  return { type: 'tool_completed', data: { call_id, tool, ok: false, error, duration_ms: 0 } };
}

function approvalRequest({ call_id, tool, input }: Call): NewEvent {
  const reason = 'This call may have happened already when its server stopped. Allow it to run again?';
  return { type: 'approval_requested', data: { call_id, tool, input, reason } };
}
