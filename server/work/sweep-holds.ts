import type { Platform } from '../platform/index.ts';
import { selectOrphanHolds, type OrphanHold } from './sql/orphan-holds.ts';

/** Younger ones may belong to work that is under way. */
const older_ms = 3_600_000;
const batch = 100;

/**
 * Releases holds that no run will ever end. Admission and end of a run are one transaction each, so a run's hold is
 * settled by the run, whoever takes it over: what is found here has no living run, and so no work to charge. `release`
 * settles one hold with nothing captured, and is safe to repeat. Resolves to how many there were.
 */
export async function sweepHolds({
  platform,
  release,
}: {
  readonly platform: Platform;
  readonly release: (hold: OrphanHold) => Promise<unknown>;
}): Promise<number> {
  const orphans = await platform.postgres.call<OrphanHold>(selectOrphanHolds(older_ms, batch));
  for (const hold of orphans) {
    platform.log.warn({ org_id: hold.org_id, hold_id: hold.hold_id }, 'orphaned hold released');
    await release(hold);
  }
  return orphans.length;
}
