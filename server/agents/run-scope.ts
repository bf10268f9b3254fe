import type { LanguageModelV4 } from '@ai-sdk/provider';
import type { NewEvent } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import type { HeldClaim } from './begin-run.ts';
import type { Conversation } from './conversation.ts';
import type { Agent } from './define-agent.ts';
import type { EventWriter } from './write-events.ts';

/** What one execution of a run works with, made by `executeRun`. */
export interface RunScope {
  readonly ctx: Ctx;
  readonly claim: HeldClaim;
  readonly agent: Agent;
  readonly model: LanguageModelV4;
  readonly conversation: Conversation;
  readonly writer: EventWriter;
  /** Aborts on cancel, deadline, drain, a lost lease or a failed append; its reason says which. */
  readonly signal: AbortSignal;
  /** Aborts when the node goes away: to be left between steps, with everything written. */
  readonly leaving?: AbortSignal | undefined;
}

/** Adds events to the conversation and sends them on their way to the log: one may never happen without the other. */
export function say({ conversation, writer }: RunScope, events: readonly NewEvent[]): void {
  for (const event of events) conversation.add(event);
  if (events.length > 0) writer.write(events);
}
