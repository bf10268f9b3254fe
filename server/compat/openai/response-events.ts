import type { EventData, ModelUsage, RunEvent } from '@netra/contract';
import { sumTokens } from './token-sums.ts';

/** An event of the Responses API; `sequence_number` is dense from 0, and the same however often the log is read. */
export type ResponseEvent = { readonly type: string; readonly sequence_number: number } & Readonly<
  Record<string, unknown>
>;

type Item = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };
type Status = 'in_progress' | 'completed' | 'failed' | 'cancelled';
type TextKind = 'message' | 'reasoning';

interface OpenText {
  readonly kind: TextKind;
  readonly id: string;
  text: string;
}

/**
 * A run told as a response. A pure function of the run's log from its first event on: that is what makes
 * `starting_after` a cursor that survives us.
 */
export class ResponseOfRun {
  readonly #run: string;
  readonly #output: Item[] = [];
  readonly #usage: ModelUsage[] = [];
  readonly #calls = new Map<string, { readonly index: number; readonly item: Item }>();
  #next = 0;
  #open: OpenText | null = null;
  #status: Status = 'in_progress';
  #started: { readonly agent: string; readonly created_at: number } | null = null;
  #error: { readonly code: string; readonly message: string } | null = null;

  constructor(run: string) {
    this.#run = run;
  }

  push(event: RunEvent): readonly ResponseEvent[] {
    switch (event.type) {
      case 'agent_started':
        this.#started = { agent: event.data.agent, created_at: Math.floor(Date.parse(event.at) / 1000) };
        return [this.#event('response.created', { response: this.response() }), this.#whole('response.in_progress')];
      case 'agent_thinking':
        return this.#text('reasoning', event.data);
      case 'agent_message':
        return this.#text('message', event.data);
      case 'tool_executing':
        return [...this.#close(), ...this.#call(event.data)];
      case 'tool_completed':
        return [...this.#close(), ...this.#called(event.data)];
      case 'credits_charged':
        if (event.data.usage !== undefined) this.#usage.push(event.data.usage);
        return [];
      case 'approval_requested':
      case 'approval_given':
        return [];
      case 'agent_completed':
        return this.#end('completed', 'response.completed');
      case 'agent_cancelled':
        // The API has a status for it and no event.
        return this.#end('cancelled', 'response.incomplete');
      case 'agent_failed':
        this.#error = { code: event.data.code, message: event.data.message };
        return this.#end('failed', 'response.failed');
    }
  }

  /** The response as it stands. */
  response(status: string = this.#status): Readonly<Record<string, unknown>> {
    const texts = this.#output.flatMap((item) => (item.type === 'message' ? [textOf(item)] : []));
    return {
      id: `resp_${this.#run}`,
      object: 'response',
      created_at: this.#started?.created_at ?? 0,
      status,
      model: this.#started?.agent ?? '',
      output: this.#output,
      output_text: texts.join(''),
      error: this.#error === null ? null : { ...this.#error, code: 'server_error', netra_code: this.#error.code },
      incomplete_details: null,
      instructions: null,
      metadata: {},
      parallel_tool_calls: false,
      temperature: null,
      top_p: null,
      tool_choice: 'auto',
      tools: [],
      usage: usageOf(this.#usage),
    };
  }

  #event(type: string, rest: Readonly<Record<string, unknown>>): ResponseEvent {
    return { type, sequence_number: this.#next++, ...rest };
  }

  #whole(type: string): ResponseEvent {
    return this.#event(type, { response: this.response() });
  }

  #end(status: Status, type: string): readonly ResponseEvent[] {
    const closed = this.#close();
    this.#status = status;
    return [...closed, this.#whole(type)];
  }

  #text(kind: TextKind, { text, restarts }: EventData<'agent_message'>): readonly ResponseEvent[] {
    const events: ResponseEvent[] = [];
    if (restarts === true || this.#open?.kind !== kind) events.push(...this.#close(), ...this.#begin(kind));
    const open = this.#open;
    if (open === null || text === '') return events;
    open.text += text;
    const place = { item_id: open.id, output_index: this.#output.length };
    return kind === 'message'
      ? [
          ...events,
          this.#event('response.output_text.delta', { ...place, content_index: 0, delta: text, logprobs: [] }),
        ]
      : [...events, this.#event('response.reasoning_text.delta', { ...place, content_index: 0, delta: text })];
  }

  #begin(kind: TextKind): readonly ResponseEvent[] {
    const id = `${kind === 'message' ? 'msg' : 'rs'}_${this.#run}_${this.#output.length}`;
    this.#open = { kind, id, text: '' };
    const output_index = this.#output.length;
    const item = itemOf(this.#open, 'in_progress', false);
    const part = partOf(this.#open);
    return [
      this.#event('response.output_item.added', { output_index, item }),
      this.#event('response.content_part.added', { item_id: id, output_index, content_index: 0, part }),
    ];
  }

  #close(): readonly ResponseEvent[] {
    const open = this.#open;
    if (open === null) return [];
    this.#open = null;
    const output_index = this.#output.length;
    const place = { item_id: open.id, output_index, content_index: 0 };
    const item = itemOf(open, 'completed', true);
    this.#output.push(item);
    const type = open.kind === 'message' ? 'response.output_text.done' : 'response.reasoning_text.done';
    const logprobs = open.kind === 'message' ? { logprobs: [] } : {};
    return [
      this.#event(type, { ...place, text: open.text, ...logprobs }),
      this.#event('response.content_part.done', { ...place, part: partOf(open) }),
      this.#event('response.output_item.done', { output_index, item }),
    ];
  }

  /** A tool of the server's own: the API's word for it is a call of an MCP server, which no client has to make. */
  #call({ call_id, tool, input }: EventData<'tool_executing'>): readonly ResponseEvent[] {
    const call = {
      id: call_id,
      type: 'mcp_call',
      name: tool,
      server_label: 'netra',
      arguments: JSON.stringify(input ?? {}),
    };
    const item = { ...call, output: null, error: null, status: 'in_progress' };
    const index = this.#output.push(item) - 1;
    this.#calls.set(call_id, { index, item });
    return [this.#event('response.output_item.added', { output_index: index, item })];
  }

  #called({ call_id, ok, output, error }: EventData<'tool_completed'>): readonly ResponseEvent[] {
    const call = this.#calls.get(call_id);
    if (call === undefined) return [];
    const outcome = ok
      ? { output: JSON.stringify(output ?? null), status: 'completed' }
      : { error: error?.message ?? 'failed', status: 'failed' };
    const item = { ...call.item, ...outcome };
    this.#output[call.index] = item;
    return [this.#event('response.output_item.done', { output_index: call.index, item })];
  }
}

function partOf({ kind, text }: OpenText): Readonly<Record<string, unknown>> {
  return kind === 'message'
    ? { type: 'output_text', text, annotations: [], logprobs: [] }
    : { type: 'reasoning_text', text };
}

function itemOf(open: OpenText, status: string, whole: boolean): Item {
  const content = whole ? [partOf(open)] : [];
  return open.kind === 'message'
    ? { id: open.id, type: 'message', role: 'assistant', status, content }
    : { id: open.id, type: 'reasoning', summary: [], status, content };
}

function textOf({ content }: Item): string {
  return Array.isArray(content) ? content.map((part: { readonly text?: string }) => part.text ?? '').join('') : '';
}

/** Null if no model was called. */
function usageOf(calls: readonly ModelUsage[]): Readonly<Record<string, unknown>> | null {
  if (calls.length === 0) return null;
  const { input, cached, output, total } = sumTokens(calls);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: total,
  };
}
