import type { IfBusy } from '@netra/contract';
import type { Statement } from '../../platform/index.ts';

/** A schedule as its organisation sees it. */
export interface ScheduleRow {
  readonly schedule: string;
  readonly user: string;
  readonly agent: string;
  readonly input: unknown;
  readonly cron: string;
  readonly time_zone: string;
  readonly thread: string | null;
  readonly if_busy: IfBusy;
  readonly max_credits_micro: bigint | null;
  readonly state: 'active' | 'paused' | 'stopped';
  readonly next_at: Date | null;
  readonly last_due_at: Date | null;
  readonly last_run: string | null;
  readonly last_refusal: { readonly code: string; readonly message: string } | null;
  readonly started: bigint;
  readonly refused: bigint;
  readonly created_at: Date;
}

const columns = `s.schedule_id as schedule, s.user_id as "user", s.agent, s.input, s.cron, s.time_zone,
  s.thread_id as thread, s.if_busy, s.max_micro as max_credits_micro, s.state, s.next_at, s.last_due_at,
  s.last_run_id as last_run, s.last_refusal, s.started, s.refused, s.created_at`;

export function createScheduleStatement(made: {
  readonly org_id: string;
  readonly schedule_id: string;
  readonly user_id: string;
  readonly thread: string | null;
  readonly agent: string;
  readonly input_json: string;
  readonly cron: string;
  readonly time_zone: string;
  readonly if_busy: IfBusy;
  readonly max_micro: bigint | null;
  readonly next_at: Date;
  readonly key: string;
  readonly hash: string;
}): Statement {
  return {
    text: `select ${columns} from netra.create_schedule($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) s`,
    values: [
      made.org_id,
      made.schedule_id,
      made.user_id,
      made.thread,
      made.agent,
      made.input_json,
      made.cron,
      made.time_zone,
      made.if_busy,
      made.max_micro,
      made.next_at,
      made.key,
      made.hash,
    ],
  };
}

export function selectSchedules(org_id: string, after: string | null, limit: number): Statement {
  return {
    text: `select ${columns} from netra.schedule s
      where s.org_id = $1 and ($2::uuid is null or s.schedule_id > $2) order by s.schedule_id limit $3`,
    values: [org_id, after, limit],
  };
}

/** `lock`: until the transaction ends. */
export function selectSchedule(org_id: string, schedule_id: string, lock: boolean): Statement {
  return {
    text: `select ${columns} from netra.schedule s
      where s.org_id = $1 and s.schedule_id = $2${lock ? ' for no key update' : ''}`,
    values: [org_id, schedule_id],
  };
}

export function updateSchedule(org_id: string, row: ScheduleRow): Statement {
  return {
    text: `update netra.schedule s
      set input = $3, cron = $4, time_zone = $5, if_busy = $6, max_micro = $7, state = $8, next_at = $9,
        taken_until = '-infinity'
      where s.org_id = $1 and s.schedule_id = $2 returning ${columns}`,
    values: [
      org_id,
      row.schedule,
      JSON.stringify(row.input ?? null),
      row.cron,
      row.time_zone,
      row.if_busy,
      row.max_credits_micro,
      row.state,
      row.next_at,
    ],
  };
}

export function deleteScheduleStatement(org_id: string, schedule_id: string): Statement {
  return {
    text: 'delete from netra.schedule where org_id = $1 and schedule_id = $2',
    values: [org_id, schedule_id],
  };
}

export interface DueSchedule extends ScheduleRow {
  readonly org_id: string;
  readonly next_at: Date;
  /** Database time of the take. */
  readonly now: Date;
}

/** Nobody else gets them for `taken_ms`. */
export function takeDueSchedules(limit: number, taken_ms: number): Statement {
  return {
    name: 'schedules.take_due',
    text: `select s.org_id, now() as now, ${columns} from netra.take_due_schedules($1, $2) s`,
    values: [limit, taken_ms],
  };
}

/** `next_at` null: it stops. */
export function noteDue(
  { org_id, schedule, next_at: due_at }: DueSchedule,
  came: {
    readonly latest_at: Date;
    readonly next_at: Date | null;
    readonly run: string | null;
    readonly refusal: { readonly code: string; readonly message: string } | null;
  },
): Statement {
  const refusal = came.refusal && JSON.stringify(came.refusal);
  return {
    name: 'schedules.note_due',
    text: 'select netra.note_due($1, $2, $3, $4, $5, $6, $7) as noted',
    values: [org_id, schedule, due_at, came.latest_at, came.next_at, came.run, refusal],
  };
}
