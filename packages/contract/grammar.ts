import { isTerminal, type EventType } from './events.ts';

/**
 * The grammar of a run's log, checked on append:
 * 1. `agent_started` comes first, and once.
 * 2. Each `tool_executing{call_id}` gets at most one `tool_completed{call_id}`, and none comes without it.
 * 3. One terminal event, last. `agent_completed` needs every tool call completed; a failed or cancelled run may
 *    leave calls open, since its worker may have died inside one.
 */
export interface LogState {
  readonly started: boolean;
  readonly ended: boolean;
  readonly openCalls: ReadonlySet<string>;
  readonly closedCalls: ReadonlySet<string>;
}

export const emptyLog: LogState = { started: false, ended: false, openCalls: new Set(), closedCalls: new Set() };

interface GrammarEvent {
  readonly type: EventType;
  readonly data: unknown;
}

/** The state after `event`; throws an Error that names the broken rule. */
export function advanceLog(state: LogState, event: GrammarEvent): LogState {
  if (state.ended) throw new Error(`grammar 3: ${event.type} after the terminal event`);
  if (event.type === 'agent_started') {
    if (state.started) throw new Error('grammar 1: agent_started twice');
    return { ...state, started: true };
  }
  if (!state.started) throw new Error(`grammar 1: ${event.type} before agent_started`);
  if (event.type === 'tool_executing') return openCall(state, callId(event));
  if (event.type === 'tool_completed') return closeCall(state, callId(event));
  if (isTerminal(event.type)) return end(state, event.type);
  return state;
}

function callId(event: GrammarEvent): string {
  return (event.data as { call_id: string }).call_id;
}

function openCall(state: LogState, call: string): LogState {
  if (state.openCalls.has(call) || state.closedCalls.has(call)) {
    throw new Error(`grammar 2: tool_executing twice for call ${call}`);
  }
  return { ...state, openCalls: new Set(state.openCalls).add(call) };
}

function closeCall(state: LogState, call: string): LogState {
  if (!state.openCalls.has(call)) throw new Error(`grammar 2: tool_completed without tool_executing for call ${call}`);
  const openCalls = new Set(state.openCalls);
  openCalls.delete(call);
  return { ...state, openCalls, closedCalls: new Set(state.closedCalls).add(call) };
}

function end(state: LogState, type: EventType): LogState {
  if (type === 'agent_completed' && state.openCalls.size > 0) {
    throw new Error(`grammar 3: agent_completed with open calls ${[...state.openCalls].join(', ')}`);
  }
  return { ...state, ended: true };
}
