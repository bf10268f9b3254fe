import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import type { Message } from './list-messages.ts';
import { pageMessages } from './page-messages.ts';
import { readPage } from './read-page.ts';
import { readRun } from './read-run.ts';
import type { Thread } from './run.ts';
import { selectThread } from './sql/thread.ts';

/** Rows of one read: all that an export holds at a time. */
const page = 256;

/**
 * A thread as lines of JSON, in order: the thread, each message, and behind a question its run and all that is kept of
 * the run's events; last a line that says how many they were, so that a text that was broken off is known for one. Each
 * page is as of when it is read. Throws `not_found` before the first line, also for another organisation's thread (T1).
 */
export async function exportThread({
  ctx,
  input,
}: {
  readonly ctx: Ctx;
  readonly input: { readonly thread: string };
}): Promise<AsyncIterable<string>> {
  const { org_id } = ctx.principal;
  const [thread] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<Thread>(selectThread(org_id, input.thread)),
  );
  if (!thread) throw new NetraError('not_found', 'There is no such thread.');
  return lines(ctx, thread);
}

async function* lines(ctx: Ctx, { thread_id, title, created_at }: Thread): AsyncGenerator<string> {
  const counts = { messages: 0, runs: 0, events: 0 };
  yield line({ type: 'thread', thread: thread_id, title: title === '' ? null : title, created_at });
  let cursor: string | null = null;
  do {
    const input = { thread: thread_id, order: 'asc', limit: 200, ...(cursor === null ? {} : { cursor }) };
    const { items, next }: { items: readonly Message[]; next: string | null } = await pageMessages({ ctx, input });
    for (const { message_id, run_id, ...message } of items) {
      counts.messages += 1;
      yield line({ type: 'message', message: message_id, run: run_id, ...message });
      if (message.author !== 'user') continue;
      counts.runs += 1;
      yield* runLines(ctx, run_id, counts);
    }
    cursor = next;
  } while (cursor !== null);
  yield line({ type: 'end', ...counts });
}

async function* runLines(ctx: Ctx, run: string, counts: { events: number }): AsyncGenerator<string> {
  const { run_id, thread_id: _thread, ...facts } = await readRun({ ctx, input: { run } });
  const where = { org_id: ctx.principal.org_id, run_id };
  let after = 0;
  let told = false;
  for (;;) {
    const { events, epoch, cut } = await readPage(ctx.platform, where, after, page);
    // A cut while this runs shows: the run says from where on its events are there.
    if (!told) yield line({ type: 'run', run: run_id, ...facts, epoch, first_event: cut + 1 });
    told = true;
    for (const { type, data, seq, at } of events) {
      counts.events += 1;
      yield line({ type: 'event', run: run_id, epoch, seq, at, event: type, data });
    }
    if (events.length < page) return;
    after = events.at(-1)?.seq ?? after;
  }
}

/** bigint as decimal string, Date as ISO UTC. */
function line(value: object): string {
  return `${JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? `${each}` : each))}\n`;
}
