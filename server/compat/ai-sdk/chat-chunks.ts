import type { EventData, RunEvent } from '@netra/contract';

/**
 * A part of the AI SDK's UI message stream (protocol v1, versions 5 and 6 of the package). Its client throws on a type
 * that it does not know, so what it has no word for travels as `data-*`.
 */
export type ChatChunk = { readonly type: string } & Readonly<Record<string, unknown>>;

type TextKind = 'text' | 'reasoning';

/** Turns the events of one run, from its first on, into the chunks of one assistant message. */
export class ChatChunks {
  readonly #run: string;
  #open: { readonly kind: TextKind; readonly id: string } | null = null;
  #parts = 0;

  constructor(run: string) {
    this.#run = run;
  }

  push(event: RunEvent): readonly ChatChunk[] {
    switch (event.type) {
      case 'agent_started': {
        const { agent, model, thread } = event.data;
        const messageMetadata = { run: this.#run, thread, agent, model };
        return [{ type: 'start', messageId: this.#run, messageMetadata }, { type: 'start-step' }];
      }
      case 'agent_thinking':
        return this.#text('reasoning', event.data);
      case 'agent_message':
        return this.#text('text', event.data);
      case 'tool_executing':
        return [...this.#close(), toolInput(event.data)];
      case 'tool_completed':
        return [...this.#close(), toolOutput(event.data)];
      case 'approval_requested':
      case 'approval_given':
      case 'credits_charged':
        return [...this.#close(), { type: `data-${event.type}`, data: event.data }];
      case 'agent_completed':
        return [...this.#close(), data(event), { type: 'finish-step' }, finish(event.data)];
      case 'agent_failed':
        return [
          ...this.#close(),
          data(event),
          { type: 'error', errorText: `${event.data.code}: ${event.data.message}` },
        ];
      case 'agent_cancelled':
        return [...this.#close(), data(event), { type: 'abort', reason: 'cancelled' }];
    }
  }

  #text(kind: TextKind, { text, restarts }: EventData<'agent_message'>): readonly ChatChunk[] {
    const chunks: ChatChunk[] = [];
    if (restarts === true) {
      // What was said since the last tool is void, and the protocol cannot take it back: it can be told.
      chunks.push(...this.#close(), { type: 'data-restarted', data: { run: this.#run } });
    }
    if (this.#open?.kind !== kind) {
      chunks.push(...this.#close());
      this.#parts += 1;
      this.#open = { kind, id: `${kind}-${this.#parts}` };
      chunks.push({ type: `${kind}-start`, id: this.#open.id });
    }
    if (text !== '') chunks.push({ type: `${kind}-delta`, id: this.#open.id, delta: text });
    return chunks;
  }

  #close(): readonly ChatChunk[] {
    if (this.#open === null) return [];
    const { kind, id } = this.#open;
    this.#open = null;
    return [{ type: `${kind}-end`, id }];
  }
}

/** `dynamic`: the application has not declared our tools, and need not. */
function toolInput({ call_id, tool, input }: EventData<'tool_executing'>): ChatChunk {
  const call = { toolCallId: call_id, toolName: tool, input: input ?? {} };
  return { type: 'tool-input-available', ...call, dynamic: true, providerExecuted: true };
}

function toolOutput({ call_id, ok, output, error }: EventData<'tool_completed'>): ChatChunk {
  const call = { toolCallId: call_id, dynamic: true, providerExecuted: true };
  if (ok) return { type: 'tool-output-available', ...call, output: output ?? null };
  return { type: 'tool-output-error', ...call, errorText: error ? `${error.code}: ${error.message}` : 'tool_failed' };
}

function data({ type, data: value }: RunEvent): ChatChunk {
  return { type: `data-${type}`, data: value };
}

function finish({ credits }: EventData<'agent_completed'>): ChatChunk {
  return { type: 'finish', messageMetadata: { credits } };
}
