import { NetraError, type NewEvent } from '@netra/contract';
import { allowedCall } from '../approvals.ts';
import { executing } from '../call-tools.ts';
import type { OpenCall } from '../conversation.ts';
import { ModelFailure } from '../model-failure.ts';
import { say, type RunScope } from '../run-scope.ts';
import { watchSilence } from '../watch-silence.ts';
import { failed, readEvents } from './read-events.ts';
import { mainCall, type RemoteAgent } from './remote-agent.ts';
import { RemoteEvents } from './remote-events.ts';
import { requestOf } from './run-request.ts';

/**
 * Runs an agent at its URL, and writes what it says and does into our log as it comes. Returns its text, or null where a
 * person has to say first whether it may run again. Throws `remote_failed`, or the signal's reason.
 */
export async function runRemote(scope: RunScope, remote: RemoteAgent): Promise<string | null> {
  const { conversation, agent } = scope;
  const main = mainCall(conversation.results);
  const done = conversation.results.find(({ call_id }) => call_id === main);
  if (done !== undefined) return textOf(done);
  const open = conversation.open.get(main);
  if (open === undefined) {
    // R2: whoever takes over must know that it may have begun.
    say(scope, [executing({ call_id: main, tool: agent.name, input: scope.claim.input ?? null })]);
    await scope.writer.flush();
    return await follow(scope, remote, main, false);
  }
  say(scope, closeInner(scope, main));
  if (remote.effects !== 'once') return await follow(scope, remote, main, true);
  if (open.approval === 'approved') return await followAllowed(scope, remote, open);
  if (open.approval === 'denied')
    throw new NetraError('remote_failed', 'Its server stopped, and it was not run again.');
  if (open.approval === 'not_asked') say(scope, [question(open)]);
  return null;
}

async function followAllowed(scope: RunScope, remote: RemoteAgent, open: OpenCall): Promise<string> {
  const { call, events } = allowedCall(open, scope.conversation.calls + 1);
  say(scope, events);
  await scope.writer.flush();
  return await follow(scope, remote, call.call_id, true);
}

/** Calls that the agent there had open when we lost it. */
function closeInner({ conversation }: RunScope, main: string): NewEvent[] {
  const inner = [...conversation.open.values()].filter(({ call_id }) => call_id !== main);
  return inner.map(({ call_id, tool }) => {
    const error = { code: 'interrupted', message: 'the server stopped before the agent told a result' };
    return { type: 'tool_completed', data: { call_id, tool, ok: false, error, duration_ms: 0 } };
  });
}

function question({ call_id, tool, input }: OpenCall): NewEvent {
  const reason = 'This agent may have done its work already when our server stopped. Allow it to run again?';
  return { type: 'approval_requested', data: { call_id, tool, input, reason } };
}

async function follow(scope: RunScope, remote: RemoteAgent, main: string, again: boolean): Promise<string> {
  const { conversation, agent } = scope;
  const began_ms = performance.now();
  const events = new RemoteEvents({ again, nextCall: () => `call_${conversation.calls + 1}` });
  await stream(scope, remote, events);
  if (events.ended === null) throw failed('no end: its stream broke off');
  const { text, state } = events;
  const output = { text, ...(state === undefined ? {} : { state }) };
  const duration_ms = Math.round(performance.now() - began_ms);
  say(scope, [{ type: 'tool_completed', data: { call_id: main, tool: agent.name, ok: true, output, duration_ms } }]);
  return text;
}

async function stream(scope: RunScope, remote: RemoteAgent, events: RemoteEvents): Promise<void> {
  const { url, headers, max_bytes, silence_ms } = remote;
  const watch = watchSilence(scope.signal, silence_ms);
  try {
    const init = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(requestOf(scope)),
      signal: watch.signal,
    };
    const answer = await remote.fetch(url, init, max_bytes);
    if (!answer.ok || answer.body === null) {
      await answer.body?.cancel();
      throw failed(`the status ${answer.status}`);
    }
    for await (const event of readEvents(answer.body)) {
      watch.heard();
      if (scope.conversation.events >= scope.agent.bounds.max_events) throw failed('more events than a run may have');
      say(scope, events.push(event));
      await scope.writer.ready();
    }
  } catch (error) {
    throw explain(scope, error, watch.signal, silence_ms);
  } finally {
    watch.stop();
  }
}

function explain({ ctx, claim, signal }: RunScope, error: unknown, watched: AbortSignal, silence_ms: number): unknown {
  if (signal.aborted) return signal.reason;
  if (watched.reason instanceof ModelFailure) return failed(`nothing for ${silence_ms} ms`);
  if (error instanceof NetraError) return error;
  ctx.platform.log.warn({ run_id: claim.run_id, err: error }, 'remote agent failed');
  return new NetraError('remote_failed', 'The agent behind this one could not be reached, or its stream broke off.');
}

function textOf({ output }: { readonly output: unknown }): string {
  const text = typeof output === 'object' && output !== null && 'text' in output ? output.text : '';
  return typeof text === 'string' ? text : '';
}
