import { oneRow, type Platform } from '../platform/index.ts';
import { letStuckRunsStatement } from './sql/due-runs.ts';
import { tellTurn } from './tell-turns.ts';

const batch = 1_000;

/**
 * A run's end lets the next of its thread in. Where that one was being cancelled at the same moment, and then was not,
 * nobody is left to do it: this looks for threads that are free while somebody waits. Returns how many it found.
 */
export async function letStuckRuns({ platform }: { readonly platform: Platform }): Promise<bigint> {
  const { freed } = oneRow(await platform.postgres.call<{ readonly freed: bigint }>(letStuckRunsStatement(batch)));
  if (freed === 0n) return freed;
  platform.log.warn({ threads: freed }, 'threads were free while runs waited in them');
  tellTurn(platform, '', { state: 'queued', behind: null, interrupted: [] });
  return freed;
}
