import type { EventData, Receipt, RunEvent } from '@netra/contract';

/** An event of AG-UI 1.0, as its client checks it. */
export type AgUiEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

/** How the client names what it follows: it may see one run of ours as several of its own, one after each interrupt. */
export interface AgUiNames {
  readonly threadId: string;
  readonly runId: string;
}

type TextKind = 'TEXT' | 'REASONING';

/** Turns the events of a run into those of one AG-UI run. */
export class AgUiEvents {
  readonly #names: AgUiNames;
  #open: { readonly kind: TextKind; readonly messageId: string } | null = null;
  #messages = 0;
  readonly #interrupts: Readonly<Record<string, string>>[] = [];

  constructor({ threadId, runId }: AgUiNames) {
    this.#names = { threadId, runId };
  }

  /** What waits for an answer, in the order it was asked. */
  get interrupts(): readonly Readonly<Record<string, string>>[] {
    return this.#interrupts;
  }

  started(): AgUiEvent {
    return { type: 'RUN_STARTED', ...this.#names };
  }

  /** The run waits for a person: in AG-UI that is an end, and the answer begins another run. */
  interrupted(): readonly AgUiEvent[] {
    const outcome = { type: 'interrupt', interrupts: this.#interrupts };
    return [...this.#close(), { type: 'RUN_FINISHED', ...this.#names, outcome }];
  }

  push(event: RunEvent): readonly AgUiEvent[] {
    switch (event.type) {
      case 'agent_started':
        return [custom(event)];
      case 'agent_thinking':
        return this.#text('REASONING', event.data);
      case 'agent_message':
        return this.#text('TEXT', event.data);
      case 'tool_executing':
        return [...this.#close(), ...toolCall(event.data)];
      case 'tool_completed':
        return [...this.#close(), toolResult(event.run, event.data)];
      case 'approval_requested': {
        const { call_id, reason, tool } = event.data;
        this.#interrupts.push({ id: call_id, reason, message: tool, toolCallId: call_id });
        return [...this.#close(), custom(event)];
      }
      case 'approval_given':
      case 'credits_charged':
        return [...this.#close(), custom(event)];
      case 'agent_completed':
        return [...this.#close(), this.#finished({ type: 'success' }, event.data)];
      case 'agent_cancelled':
        return [...this.#close(), this.#finished({ type: 'cancelled' }, event.data)];
      case 'agent_failed':
        return [...this.#close(), { type: 'RUN_ERROR', message: event.data.message, code: event.data.code }];
    }
  }

  #finished(outcome: AgUiEvent, result: { readonly output?: unknown; readonly credits: Receipt }): AgUiEvent {
    return { type: 'RUN_FINISHED', ...this.#names, outcome, result };
  }

  #text(kind: TextKind, { text, restarts }: EventData<'agent_message'>): readonly AgUiEvent[] {
    const events: AgUiEvent[] = [];
    if (restarts === true) events.push(...this.#close(), { type: 'CUSTOM', name: 'restarted', value: null });
    if (this.#open?.kind !== kind) {
      events.push(...this.#close());
      this.#messages += 1;
      const messageId = `${this.#names.runId}/${this.#messages}`;
      this.#open = { kind, messageId };
      if (kind === 'REASONING') events.push({ type: 'REASONING_START', messageId });
      const role = kind === 'REASONING' ? 'reasoning' : 'assistant';
      events.push({ type: `${kind}_MESSAGE_START`, messageId, role });
    }
    const { messageId } = this.#open;
    if (text !== '') events.push({ type: `${kind}_MESSAGE_CONTENT`, messageId, delta: text });
    return events;
  }

  #close(): readonly AgUiEvent[] {
    if (this.#open === null) return [];
    const { kind, messageId } = this.#open;
    this.#open = null;
    const end = { type: `${kind}_MESSAGE_END`, messageId };
    return kind === 'REASONING' ? [end, { type: 'REASONING_END', messageId }] : [end];
  }
}

function toolCall({ call_id: toolCallId, tool, input }: EventData<'tool_executing'>): readonly AgUiEvent[] {
  return [
    { type: 'TOOL_CALL_START', toolCallId, toolCallName: tool },
    { type: 'TOOL_CALL_ARGS', toolCallId, delta: JSON.stringify(input ?? {}) },
    { type: 'TOOL_CALL_END', toolCallId },
  ];
}

function toolResult(run: string, { call_id, ok, output, error }: EventData<'tool_completed'>): AgUiEvent {
  const content = JSON.stringify(ok ? (output ?? null) : { error });
  return { type: 'TOOL_CALL_RESULT', messageId: `${run}/${call_id}`, toolCallId: call_id, content, role: 'tool' };
}

/** What AG-UI has no event for keeps our name and shape. */
function custom({ type, data }: RunEvent): AgUiEvent {
  return { type: 'CUSTOM', name: type, value: data };
}
