import type { IfBusy } from '@netra/contract';
import { admitRun } from '../agents/index.ts';
import type { Ctx } from '../platform/index.ts';
import { createThread } from '../runs/index.ts';

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

/** The thread of a conversation that the client names itself; made at its first run. */
export async function openConversation(ctx: Ctx, wire: Ask['wire'], conversation: string): Promise<string> {
  const { thread_id } = await createThread({ ctx, input: { idempotency_key: conversationKey(wire, conversation) } });
  return thread_id;
}

/** Starts the run, or finds it if this request was made before. Throws what admitRun throws. */
export async function startRun(ctx: Ctx, ask: Ask): Promise<{ readonly run: string; readonly thread: string }> {
  const { wire, thread, key, ...rest } = ask;
  const idempotency_key = `${wire}/${key}`;
  return admitRun({ ctx, input: { ...(thread === null ? {} : { thread }), ...rest, idempotency_key } });
}
