import { NetraError, type RunEvent } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import type { RunState } from './run.ts';
import { readLog, type LogRow } from './sql/log.ts';

/** A page of a run's log and the run's head, as of one snapshot. */
export interface LogPage {
  readonly state: RunState;
  readonly epoch: number;
  readonly head: number;
  readonly ended: boolean;
  /** Events up to here are gone by retention; 0 = none is. */
  readonly cut: number;
  readonly events: readonly RunEvent[];
}

const endStates: readonly string[] = ['completed', 'failed', 'cancelled'];

export function isEnded(state: string): boolean {
  return endStates.includes(state);
}

/** One round trip. Another organisation's run does not exist here: `not_found` (T1). */
export async function readPage(
  platform: Platform,
  run: { readonly org_id: string; readonly run_id: string },
  after: number,
  limit: number,
): Promise<LogPage> {
  const rows = await platform.postgres.call<LogRow>(readLog(run.org_id, run.run_id, after, limit));
  const [first] = rows;
  if (!first) throw new NetraError('not_found', 'There is no such run.');
  return {
    state: first.state as RunState,
    epoch: first.epoch,
    head: first.last_seq,
    ended: isEnded(first.state),
    cut: first.cut_seq,
    events: first.seq === null ? [] : rows.map((row) => toEvent(run.run_id, row)),
  };
}

function toEvent(run: string, row: LogRow): RunEvent {
  if (row.seq === null) throw new Error('a log row without seq among others');
  // Checked when it was appended; checking each again would cost more than reading it.
  return { type: row.type, data: row.data, run, seq: row.seq, at: row.at.toISOString() } as RunEvent;
}
