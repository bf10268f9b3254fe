import type { IfBusy } from '@netra/contract';
import { admitRun } from '../agents/index.ts';
import type { Ctx } from '../platform/index.ts';
import { createThread, type Said } from '../runs/index.ts';

/** What a client of another protocol asks for, in our words. */
export interface Ask {
  /** Which protocol: its conversations are its own. */
  readonly wire: 'ai-sdk' | 'ag-ui' | 'openai';
  /** One of our threads; null = a new one for this run. */
  readonly thread: string | null;
  readonly agent: string;
  readonly input: unknown;
  /** The most that the run may cost; it parks and asks before it goes beyond. */
  readonly max_credits_micro: string | undefined;
  /** What it does if the conversation is busy; by default it waits. */
  readonly if_busy: IfBusy | undefined;
  /** What makes a retry the same request, within the conversation. */
  readonly key: string;
}

/** The key that the thread of a client's own conversation is known by. */
export function conversationKey(wire: Ask['wire'], conversation: string): string {
  return `${wire}/${conversation}`;
}

/**
 * The thread of a conversation that the client names itself; made at its first run. `told`: what the client says was said
 * before. It counts at that first run alone: from then on the thread has its own turns, and none is told twice.
 */
export async function openConversation(
  ctx: Ctx,
  wire: Ask['wire'],
  conversation: string,
  told: readonly Said[],
): Promise<string> {
  const input = { idempotency_key: conversationKey(wire, conversation), prelude: told };
  const { thread_id } = await createThread({ ctx, input });
  return thread_id;
}

/** A message of another protocol, as far as it is words. */
export interface Told {
  readonly role?: string | undefined;
  readonly text: string;
}

/** What came before the user's last message. Instructions are the agent's own, and tools ours: neither is taken over. */
export function toldBefore(messages: readonly Told[]): readonly Said[] {
  const last = messages.findLastIndex(({ role }) => role === undefined || role === 'user');
  return messages.slice(0, Math.max(last, 0)).flatMap(({ role, text }): Said[] => {
    if (text === '') return [];
    if (role === undefined || role === 'user') return [{ author: 'user', text }];
    return role === 'assistant' ? [{ author: 'agent', text }] : [];
  });
}

/** Starts the run, or finds it if this request was made before. Throws what admitRun throws. */
export async function startRun(ctx: Ctx, ask: Ask): Promise<{ readonly run: string; readonly thread: string }> {
  const { wire, thread, key, ...rest } = ask;
  const idempotency_key = `${wire}/${key}`;
  return admitRun({ ctx, input: { ...(thread === null ? {} : { thread }), ...rest, idempotency_key } });
}
