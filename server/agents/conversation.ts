import type { JSONValue, LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { EventData, ModelUsage, NewEvent } from '@netra/contract';
import { Budget } from './budget.ts';
import type { Agent, ToolResult } from './define-agent.ts';
import { Shortage } from './shortage.ts';

export type TextKind = 'agent_thinking' | 'agent_message';
type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number];
type ToolPart = Extract<LanguageModelV4Message, { role: 'tool' }>['content'][number];

export interface TextPart {
  readonly kind: TextKind;
  text: string;
}

/** A call without a recorded result: the worker that ran it may have died inside it. */
export interface OpenCall {
  readonly call_id: string;
  readonly tool: string;
  readonly input: unknown;
  approval: 'not_asked' | 'asked' | 'approved' | 'denied';
}

/**
 * The conversation as a fold over the run's events. The loop adds each event that it writes, and a worker that takes
 * the run over adds the events of the log: both see the same prompt, because there is only this one way to make it.
 *
 * A step is what one model call said: texts, then its tool calls. The step is recorded with its `tool_executing`
 * events, which are one append; texts without any are a model call that was cut off (`partial`).
 */
export class Conversation {
  readonly results: ToolResult[] = [];
  readonly open = new Map<string, OpenCall>();
  /** Model calls whose answer is recorded. */
  steps = 0;
  /** Tool calls so far: numbers the next one. */
  calls = 0;
  events = 0;
  /** Model calls that were charged, for the usage statistics. */
  readonly charged: ModelUsage[] = [];
  /** The last step whose charge is recorded. */
  charged_step = -1;
  /** Model calls whose answer broke off, and was charged as far as it had come. */
  broken = 0;
  readonly budget = new Budget();
  readonly shortage = new Shortage();
  #done: LanguageModelV4Message[] = [];
  #texts: TextPart[] = [];
  #call_parts: AssistantPart[] = [];
  #result_parts: ToolPart[] = [];
  readonly #head: LanguageModelV4Message[];

  /** `history`: the thread's earlier turns. */
  constructor(agent: Agent, input: unknown, history: LanguageModelV4Prompt = []) {
    this.#head = [
      { role: 'system', content: agent.instructions },
      ...history,
      { role: 'user', content: [{ type: 'text', text: agent.question(input) }] },
    ];
  }

  /** What the next model call is asked. */
  prompt(): LanguageModelV4Prompt {
    return [...this.#head, ...this.#done, ...this.#recordedStep()];
  }

  /** Text of a model call that has no recorded result: shown already, but not said yet. */
  partial(): readonly TextPart[] {
    return this.#call_parts.length === 0 ? this.#texts : [];
  }

  add(event: NewEvent): void {
    this.events += 1;
    this.budget.add(event);
    this.shortage.add(event);
    switch (event.type) {
      case 'agent_thinking':
      case 'agent_message':
        return this.#addText(event.type, event.data);
      case 'tool_executing':
        return this.#openCall(event.data);
      case 'tool_completed':
        return this.#closeCall(event.data);
      case 'credits_charged':
        if (event.data.usage === undefined) return;
        this.charged.push(event.data.usage);
        if (event.data.usage.broken_off === true) this.broken += 1;
        else this.charged_step = this.steps;
        return;
      case 'approval_requested':
        return this.#mark(event.data.call_id, 'asked');
      case 'approval_given':
        return this.#mark(event.data.call_id, event.data.approved ? 'approved' : 'denied');
      case 'agent_started':
      case 'agent_completed':
      case 'agent_failed':
      case 'agent_cancelled':
        return;
    }
  }

  #addText(kind: TextKind, data: EventData<TextKind>): void {
    this.#closeStep();
    if (data.restarts === true) this.#texts = [];
    const last = this.#texts.at(-1);
    if (last?.kind === kind) last.text += data.text;
    else this.#texts.push({ kind, text: data.text });
  }

  #openCall(data: EventData<'tool_executing'>): void {
    this.#closeStep();
    if (this.#call_parts.length === 0) this.steps += 1;
    this.calls += 1;
    const { call_id, tool, input } = data;
    this.open.set(call_id, { call_id, tool, input, approval: 'not_asked' });
    this.#call_parts.push({ type: 'tool-call', toolCallId: call_id, toolName: tool, input });
  }

  #closeCall(data: EventData<'tool_completed'>): void {
    const call = this.open.get(data.call_id);
    if (call === undefined) throw new Error(`conversation: result without a call ${data.call_id}`);
    this.open.delete(data.call_id);
    const output = data.ok ? data.output : data.error;
    this.results.push({ call_id: data.call_id, tool: data.tool, input: call.input, ok: data.ok, output });
    this.#result_parts.push({
      type: 'tool-result',
      toolCallId: data.call_id,
      toolName: data.tool,
      // It came from the log or goes there: JSON either way.
      output: { type: data.ok ? 'json' : 'error-json', value: (output ?? null) as JSONValue },
    });
  }

  #mark(call_id: string, approval: OpenCall['approval']): void {
    const call = this.open.get(call_id);
    if (call !== undefined) call.approval = approval;
  }

  /** A step ends when its last call has a result and something follows. */
  #closeStep(): void {
    if (this.#call_parts.length === 0 || this.open.size > 0) return;
    this.#done.push(...this.#recordedStep());
    this.#texts = [];
    this.#call_parts = [];
    this.#result_parts = [];
  }

  #recordedStep(): LanguageModelV4Message[] {
    if (this.#call_parts.length === 0) return [];
    const texts = this.#texts.map((part): AssistantPart => ({
      type: part.kind === 'agent_thinking' ? 'reasoning' : 'text',
      text: part.text,
    }));
    return [
      { role: 'assistant', content: [...texts, ...this.#call_parts] },
      { role: 'tool', content: this.#result_parts },
    ];
  }
}
