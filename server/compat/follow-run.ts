import type { RunEvent } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { tailRun } from '../runs/index.ts';

/**
 * A run's events from after `after` to its last, each once, in order, as they happen; ends early, and quietly, when
 * `signal` aborts. Throws `not_found`. A void cursor begins at the start again: these protocols have no word for it.
 */
export async function* followRun({
  ctx,
  run,
  after = 0,
  until = 'end',
  signal,
}: {
  readonly ctx: Ctx;
  readonly run: string;
  readonly after?: number;
  /** `now`: only what the log holds already. */
  readonly until?: 'end' | 'now';
  readonly signal: AbortSignal;
}): AsyncGenerator<RunEvent, void> {
  const tail = await tailRun({ ctx, input: { run, after } });
  try {
    for (;;) {
      const item = await tail.next(signal);
      if (item.kind === 'events') yield* item.events;
      if (item.kind === 'end' || (item.kind === 'live' && until === 'now')) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    tail.close();
  }
}
