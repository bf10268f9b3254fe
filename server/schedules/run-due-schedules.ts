import { NetraError } from '@netra/contract';
import { admitRun, type RoleOf } from '../agents/index.ts';
import type { Platform, Role } from '../platform/index.ts';
import { latestDue, nextTime } from './next-time.ts';
import { noteDue, takeDueSchedules, type DueSchedule } from './sql/schedules.ts';

/** Ended long before by a node that lives; a node that died is followed after this. */
const taken_ms = 30_000;
const batch = 32;

/**
 * Starts the runs of schedules that are due. Each due time starts exactly one run, whichever nodes act on it and however
 * often: the schedule and the time are the run's key. After a pause of the installation only the latest of the times
 * that were missed counts. A refusal is written on the schedule, which goes on. Returns how many were due.
 */
export async function runDueSchedules({
  platform,
  roleOf,
}: {
  readonly platform: Platform;
  readonly roleOf: RoleOf;
}): Promise<number> {
  const due = await platform.postgres.call<DueSchedule>(takeDueSchedules(batch, taken_ms));
  await Promise.all(
    due.map((schedule) =>
      runOne(platform, roleOf, schedule).catch((error: unknown) => {
        platform.log.warn({ schedule: schedule.schedule, err: error }, 'schedule not run, to be tried again');
      }),
    ),
  );
  return due.length;
}

async function runOne(platform: Platform, roleOf: RoleOf, schedule: DueSchedule): Promise<void> {
  const { org_id, user: user_id, now } = schedule;
  const latest_at = latestDue(schedule, schedule.next_at, now);
  const role = await roleOf({ org_id, user_id });
  if (role === null) {
    const refusal = { code: 'forbidden', message: 'The schedule’s user is no longer a member of the organisation.' };
    await platform.postgres.call(noteDue(schedule, { latest_at, next_at: null, run: null, refusal }));
    return;
  }
  const came = await start(platform, schedule, role, latest_at);
  const next_at = nextTime(schedule, now);
  await platform.postgres.call(noteDue(schedule, { latest_at, next_at, ...came }));
}

async function start(platform: Platform, schedule: DueSchedule, role: Role, due_at: Date) {
  const { org_id, user: user_id, thread, agent, input, if_busy, max_credits_micro: cap } = schedule;
  const principal = { org_id, user_id, role, kind: 'user', expires_at_ms: null } as const;
  try {
    const { run } = await admitRun({
      ctx: { platform, principal, trace_id: platform.ids.uuid().replaceAll('-', '') },
      input: {
        ...(thread === null ? {} : { thread }),
        agent,
        input,
        if_busy,
        ...(cap === null ? {} : { max_credits_micro: String(cap) }),
        idempotency_key: `schedule/${schedule.schedule}/${due_at.toISOString()}`,
      },
    });
    return { run, refusal: null };
  } catch (error) {
    // What may be over in a moment is not an answer: the time is taken up again.
    if (!(error instanceof NetraError) || ['unavailable', 'draining', 'internal'].includes(error.code)) throw error;
    return { run: null, refusal: { code: error.code, message: error.message } };
  }
}
