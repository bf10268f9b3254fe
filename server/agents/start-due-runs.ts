import type { Platform, Role } from '../platform/index.ts';
import { nodeOf } from '../runs/index.ts';
import { selectDueRuns, startDueRun, type DueRun, type StartedRow } from './sql/due-runs.ts';
import { tellTurn } from './tell-turns.ts';

/** The role of a user in an organisation now; null = no member of it. */
export type RoleOf = (who: { readonly org_id: string; readonly user_id: string }) => Promise<Role | null>;

const batch = 100;
/** While the plan's places are all taken. */
const again_ms = 2_000;

/**
 * Lets scheduled runs whose time has come into their threads, as if they were asked for now. One whose user may not run
 * agents any more ends with `forbidden`. Safe on any number of nodes at once. Returns how many were due.
 */
export async function startDueRuns({
  platform,
  roleOf,
}: {
  readonly platform: Platform;
  readonly roleOf: RoleOf;
}): Promise<number> {
  const due = await platform.postgres.call<DueRun>(selectDueRuns(batch));
  // One that fails must not keep the others from their time.
  for (const run of due) {
    await startOne(platform, roleOf, run).catch((error: unknown) => {
      platform.log.warn({ run_id: run.run_id, err: error }, 'due run not started, to be tried again');
    });
  }
  return due.length;
}

async function startOne(platform: Platform, roleOf: RoleOf, run: DueRun): Promise<void> {
  const role = await roleOf(run);
  const gone = role === null || role === 'viewer';
  const refusal = gone ? { code: 'forbidden', message: 'The run’s user may not run agents here any more.' } : null;
  const statement = startDueRun(run, platform.ids.uuid(), refusal, again_ms);
  const [row] = await platform.postgres.call<StartedRow>(statement);
  if (row === undefined) return;
  tellTurn(platform, run.user_id, row);
  if (row.state === 'failed') {
    const node = nodeOf(platform);
    node.feed.wake(run.run_id);
    node.hint({ kind: 'moved', runs: [run.run_id] });
  }
}
