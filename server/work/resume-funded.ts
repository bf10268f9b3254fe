import { oneRow, type Platform } from '../platform/index.ts';
import { nodeOf } from '../runs/index.ts';
import { resumeFundedStatement, selectFundedRuns, type DoneRow, type ParkedRun } from './sql/parked.ts';

/** How late credits that have come may be noticed. One indexed look, and with nobody waiting it finds nothing. */
const poll_ms = 2_000;
/** Runs let go on at one look, on this node; the others look too. */
const batch = 100;

/**
 * Lets runs go on that waited for credits, once these are there: granted, bought, released by another run, or allowed by
 * a higher cap. Looking serves every way that credits come, and asks none of them to remember. Each run goes on once, on
 * however many nodes this is done at once. Resolves to how many this call has let go on.
 */
export async function resumeFunded({ platform }: { readonly platform: Platform }): Promise<number> {
  const { postgres } = platform;
  const { feed, hint, worker } = nodeOf(platform);
  const resumed: string[] = [];
  for (const run of await postgres.call<ParkedRun>(selectFundedRuns(batch))) {
    if (!oneRow(await postgres.call<DoneRow>(resumeFundedStatement(run))).done) continue;
    resumed.push(run.run_id);
    feed.wake(run.run_id);
  }
  if (resumed.length === 0) return 0;
  hint({ kind: 'moved', runs: resumed });
  hint({ kind: 'queued' });
  worker?.queued();
  return resumed.length;
}

/** resumeFunded over and over, until the returned function is called; that resolves when no look is under way. */
export function keepResumingFunded(platform: Platform): () => Promise<void> {
  const stopped = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      // Jitter: nodes that started together must not look together.
      await pause(poll_ms * (0.75 + platform.random() / 2), stopped.signal);
      if (stopped.signal.aborted) return;
      await resumeFunded({ platform }).catch((error: unknown) => {
        platform.log.warn({ err: error }, 'runs that wait for credits were not looked at');
      });
    }
  };
  const looping = loop();
  return () => {
    stopped.abort();
    return looping;
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
