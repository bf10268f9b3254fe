import type { Platform } from '../platform/index.ts';
import type { Said } from './said.ts';
import { selectPrelude, selectTurns, type TurnRow } from './sql/thread.ts';

/** An earlier run of a thread: what it was asked, and what it answered. */
export type Turn = Pick<TurnRow, 'agent' | 'input' | 'output'>;

/** Turns of one read: an input and an output may be 256 KiB each. */
const page = 8;

/**
 * What came before in a thread, newest first, for as long as it is read on: the runs that completed, then what was said
 * before the thread came here. A run that failed or was cancelled has no answer and is left out. While a run of the thread
 * works no other can complete, so its every worker reads the same. Another organisation's thread is empty (T1).
 */
export async function* readTurns(
  { postgres }: Pick<Platform, 'postgres'>,
  { org_id, thread_id }: { readonly org_id: string; readonly thread_id: string },
): AsyncGenerator<Turn | readonly Said[], void> {
  let before: string | null = null;
  for (;;) {
    const statement = selectTurns(org_id, thread_id, before, page);
    const turns: TurnRow[] = await postgres.inOrg(org_id, (tx) => tx.rows<TurnRow>(statement));
    yield* turns;
    if (turns.length < page) break;
    before = turns.at(-1)?.message_id ?? null;
  }
  const [thread] = await postgres.inOrg(org_id, (tx) =>
    tx.rows<{ readonly prelude: readonly Said[] | null }>(selectPrelude(org_id, thread_id)),
  );
  if (thread?.prelude) yield thread.prelude;
}
