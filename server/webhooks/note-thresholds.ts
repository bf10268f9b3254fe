import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { noteThresholdsStatement } from './sql/thresholds.ts';

/** In one transaction: its locks are held until all of them are through. */
const together = 50;

/**
 * Tells (`credits.threshold`) which of 50, 80 and 100 % of the plan's credits and of each cap these organisations have
 * reached: each once a period, whoever asks how often. An organisation whose notices fail is logged and left to its next
 * charge, since what is told is read off what it has spent by then. Throws `unavailable`.
 */
export async function noteThresholds({
  platform,
  org_ids,
}: {
  readonly platform: Platform;
  readonly org_ids: readonly string[];
}): Promise<void> {
  // Sorted: two pumps must not wait for each other's rows in a ring.
  const sorted = [...org_ids].toSorted();
  for (let from = 0; from < sorted.length; from += together) {
    const group = sorted.slice(from, from + together);
    await note(platform, group).catch(async (error: unknown) => {
      if (isAway(error)) throw error;
      for (const org_id of group) await noteAlone(platform, org_id);
    });
  }
}

async function note(platform: Platform, org_ids: readonly string[]): Promise<void> {
  await platform.postgres.call(noteThresholdsStatement(org_ids));
}

async function noteAlone(platform: Platform, org_id: string): Promise<void> {
  await note(platform, [org_id]).catch((error: unknown) => {
    if (isAway(error)) throw error;
    platform.log.error({ err: error, org_id }, 'thresholds not noted');
  });
}

function isAway(error: unknown): boolean {
  return error instanceof NetraError && error.code === 'unavailable';
}
