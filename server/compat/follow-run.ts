import { NetraError, type RunEvent } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { tailRun, type Tail } from '../runs/index.ts';

/**
 * Opens a run for following, from after `after` on. To be called before an answer is begun: throws `not_found` where there
 * is no such run, and where its events were cut by retention. These protocols have no word for a run whose beginning is
 * gone, and half of one would look like a whole one.
 */
export async function openRun({
  ctx,
  run,
  after = 0,
}: {
  readonly ctx: Ctx;
  readonly run: string;
  readonly after?: number;
}): Promise<Tail> {
  const tail = await tailRun({ ctx, input: { run, after } });
  if (tail.cut <= after) return tail;
  tail.close();
  throw notKept(tail.cut);
}

/** The run's events to its last, each once, in order, as they happen; ends early, and quietly, when `signal` aborts. */
export async function* followRun({
  tail,
  until = 'end',
  signal,
}: {
  readonly tail: Tail;
  /** `now`: only what the log holds already. */
  readonly until?: 'end' | 'now';
  readonly signal: AbortSignal;
}): AsyncGenerator<RunEvent, void> {
  try {
    for (;;) {
      const item = await tail.next(signal);
      if (item.kind === 'events') yield* item.events;
      if (item.kind === 'end' || (item.kind === 'live' && until === 'now')) return;
      if (item.kind === 'reset') throw notKept(item.first - 1);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    tail.close();
  }
}

function notKept(cut: number): NetraError {
  const message = `The events of this run up to ${cut} are no longer kept: GET /v1/runs/:run/events has the rest.`;
  return new NetraError('not_found', message, { first: cut + 1 });
}
