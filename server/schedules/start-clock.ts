import { letStuckRuns, startDueRuns, type RoleOf } from '../agents/index.ts';
import { startPoll, type Platform, type Poll } from '../platform/index.ts';
import { runDueSchedules } from './run-due-schedules.ts';

/** How late a time may be noticed. Two probes of an index, each of them empty almost always. */
const poll_ms = 1_000;
const stuck_every = 60;

/** Sees to what is due by the clock, as every node does: scheduled runs, and schedules. */
export function startClock(options: { readonly platform: Platform; readonly roleOf: RoleOf }): Poll {
  const { log, random } = options.platform;
  let looks = 0;
  const look = async (): Promise<void> => {
    await startDueRuns(options);
    await runDueSchedules(options);
    looks += 1;
    if (looks % stuck_every === 0) await letStuckRuns(options);
  };
  return startPoll({ pause_ms: poll_ms, look, failed: 'due runs not looked for', log, random });
}
