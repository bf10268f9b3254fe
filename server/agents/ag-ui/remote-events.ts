import type { NewEvent } from '@netra/contract';
import jsonPatch from 'fast-json-patch';
import { failed, type RemoteEvent } from './read-events.ts';

const max_state_bytes = 64 * 1024;
const max_text_chars = 128 * 1024;
const max_call_chars = 64 * 1024;

interface RemoteCall {
  readonly call_id: string;
  readonly tool: string;
  readonly began_ms: number;
  args: string;
  executing: boolean;
}

/**
 * Turns the events of an AG-UI run into ours, and holds it to the protocol's grammar: RUN_STARTED first, a message or
 * call opened before it goes on, nothing after the end.
 */
export class RemoteEvents {
  /** How it ended; null while it has not. */
  ended: 'finished' | null = null;
  text = '';
  state: unknown;
  #started = false;
  #restarts: boolean;
  readonly #messages = new Map<string, string>();
  readonly #calls = new Map<string, RemoteCall>();
  readonly #nextCall: () => string;

  /** `again`: an earlier attempt has said something already, which is void now. */
  constructor({ again, nextCall }: { readonly again: boolean; readonly nextCall: () => string }) {
    this.#restarts = again;
    this.#nextCall = nextCall;
  }

  push(event: RemoteEvent): readonly NewEvent[] {
    if (this.ended !== null) throw failed(`${event.type} after its end`);
    if (event.type === 'RUN_ERROR') throw failed(`an error: ${event.message.slice(0, 500)}`);
    if (!this.#started && event.type !== 'RUN_STARTED') throw failed(`${event.type} before RUN_STARTED`);
    switch (event.type) {
      case 'RUN_STARTED':
        if (this.#started) throw failed('RUN_STARTED twice');
        this.#started = true;
        return [];
      case 'RUN_FINISHED':
        return this.#finish(event.outcome?.type ?? 'success');
      case 'TEXT_MESSAGE_START':
        this.#messages.set(event.messageId, event.role ?? 'assistant');
        return [];
      case 'TEXT_MESSAGE_CONTENT': {
        const role = this.#messages.get(event.messageId);
        if (role === undefined) throw failed('text of a message that was not started');
        return role === 'user' ? [] : this.#say(event.delta);
      }
      case 'TEXT_MESSAGE_END':
        if (!this.#messages.delete(event.messageId)) throw failed('the end of a message that was not started');
        return [];
      case 'TEXT_MESSAGE_CHUNK':
        return event.role === 'user' ? [] : this.#say(event.delta ?? '');
      case 'REASONING_MESSAGE_CONTENT':
      case 'REASONING_MESSAGE_CHUNK':
      case 'THINKING_TEXT_MESSAGE_CONTENT':
        return this.#spoken('agent_thinking', event.delta ?? '');
      case 'TOOL_CALL_START':
      case 'TOOL_CALL_ARGS':
      case 'TOOL_CALL_END':
      case 'TOOL_CALL_RESULT':
        return this.#call(event);
      case 'STATE_SNAPSHOT':
        return this.#keep(event.snapshot);
      case 'STATE_DELTA':
        return this.#patch(event.delta);
      case 'MESSAGES_SNAPSHOT':
        return this.#snapshot(event.messages);
    }
  }

  #say(delta: string): readonly NewEvent[] {
    this.text += delta;
    if (this.text.length > max_text_chars) throw failed(`more than ${max_text_chars} characters`);
    return this.#spoken('agent_message', delta);
  }

  #spoken(type: 'agent_thinking' | 'agent_message', text: string): readonly NewEvent[] {
    if (text === '' && !this.#restarts) return [];
    const restarts = this.#restarts;
    this.#restarts = false;
    return [{ type, data: restarts ? { text, restarts: true } : { text } }];
  }

  #call(event: Extract<RemoteEvent, { toolCallId: string }>): readonly NewEvent[] {
    const { toolCallId } = event;
    if (event.type === 'TOOL_CALL_START') {
      if (this.#calls.has(toolCallId)) throw failed('a tool call twice');
      const tool = event.toolCallName.slice(0, 64) || 'unnamed';
      this.#calls.set(toolCallId, { call_id: '', tool, began_ms: performance.now(), args: '', executing: false });
      return [];
    }
    const call = this.#calls.get(toolCallId);
    // What an earlier run of the thread called may be told again.
    if (call === undefined && event.type === 'TOOL_CALL_RESULT') return [];
    if (call === undefined) throw failed(`${event.type} of a call that was not started`);
    if (event.type === 'TOOL_CALL_ARGS') {
      call.args += event.delta;
      if (call.args.length > max_call_chars) throw failed('a tool call that is too large');
      return [];
    }
    const began = call.executing ? [] : this.#begin(toolCallId, call);
    if (event.type === 'TOOL_CALL_END') return began;
    return [...began, ...this.#close(toolCallId, true, contentOf(event.content))];
  }

  #begin(toolCallId: string, call: RemoteCall): readonly NewEvent[] {
    const begun = { ...call, call_id: this.#nextCall(), executing: true };
    this.#calls.set(toolCallId, begun);
    return [{ type: 'tool_executing', data: { call_id: begun.call_id, tool: call.tool, input: inputOf(call.args) } }];
  }

  #close(toolCallId: string, ok: boolean, output: unknown): readonly NewEvent[] {
    const call = this.#calls.get(toolCallId);
    if (call === undefined || !this.#calls.delete(toolCallId)) return [];
    const { call_id, tool } = call;
    const duration_ms = Math.round(performance.now() - call.began_ms);
    const error = { code: 'no_result', message: 'the agent told no result of this call' };
    const result = ok ? { ok, output } : { ok, error };
    return [{ type: 'tool_completed', data: { call_id, tool, ...result, duration_ms } }];
  }

  #finish(outcome: string): readonly NewEvent[] {
    if (outcome === 'interrupt') throw failed('a question to a person, which is not carried on: it ends here');
    if (outcome !== 'success') throw failed(`the outcome ${outcome.slice(0, 64)}`);
    this.ended = 'finished';
    return [...this.#calls.entries()].flatMap(([id, call]) => (call.executing ? this.#close(id, false, null) : []));
  }

  #keep(state: unknown): readonly NewEvent[] {
    if (Buffer.byteLength(JSON.stringify(state ?? null)) > max_state_bytes) {
      throw failed(`a state of more than ${max_state_bytes} bytes`);
    }
    this.state = state;
    return [];
  }

  #patch(delta: readonly unknown[]): readonly NewEvent[] {
    let state: unknown;
    try {
      state = jsonPatch.applyPatch(this.state ?? {}, delta as jsonPatch.Operation[], true, false).newDocument;
    } catch {
      throw failed('a STATE_DELTA that does not fit its state');
    }
    return this.#keep(state);
  }

  /** Of an agent that tells its messages whole, and no text as it comes. */
  #snapshot(messages: readonly { readonly role: string; readonly content?: unknown }[]): readonly NewEvent[] {
    if (this.text !== '') return [];
    const last = messages.at(-1);
    return last?.role === 'assistant' && typeof last.content === 'string' ? this.#say(last.content) : [];
  }
}

function inputOf(args: string): unknown {
  try {
    return args === '' ? {} : (JSON.parse(args) as unknown);
  } catch {
    return args;
  }
}

function contentOf(content: unknown): unknown {
  const json = JSON.stringify(content ?? null);
  if (json.length > max_call_chars) return { omitted: `${json.length} characters` };
  return typeof content === 'string' ? inputOf(content === '' ? '""' : content) : content;
}
