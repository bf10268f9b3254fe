import type { Statement } from '../../platform/index.ts';

export interface ScheduleArguments {
  readonly org_id: string;
  readonly schedule_id: string;
  readonly key: string;
  readonly source: string;
  readonly amount_micro: bigint;
  readonly priority: number | null;
  readonly reason: string;
  readonly first_at: Date | null;
  readonly every: Step | null;
  readonly times: number | null;
  readonly expires_after: Step | null;
  readonly cap_micro: bigint | null;
  readonly by: string;
}

/** A number of days or calendar months, in UTC. */
export interface Step {
  readonly unit: 'day' | 'month';
  readonly count: number;
}

export function scheduleGrantStatement(schedule: ScheduleArguments): Statement {
  const { every, expires_after } = schedule;
  return {
    name: 'plans.schedule_grant',
    text: `select netra.schedule_grant($1, $2, $3, $4, $5, $6::smallint, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                  as schedule_id`,
    values: [
      schedule.org_id,
      schedule.schedule_id,
      schedule.key,
      schedule.source,
      schedule.amount_micro,
      schedule.priority,
      schedule.reason,
      schedule.first_at,
      every?.unit ?? null,
      every?.count ?? null,
      schedule.times,
      expires_after?.unit ?? null,
      expires_after?.count ?? null,
      schedule.cap_micro,
      schedule.by,
    ],
  };
}

export function stopGrantScheduleStatement(org_id: string, schedule_id: string, by: string): Statement {
  return {
    name: 'plans.stop_grant_schedule',
    text: 'select netra.stop_grant_schedule($1, $2, $3)',
    values: [org_id, schedule_id, by],
  };
}

/** Credits that are given later, once or again and again. */
export interface GrantSchedule {
  readonly schedule_id: string;
  readonly source: 'promotion' | 'adjustment' | 'purchase';
  readonly amount_micro: bigint;
  readonly reason: string;
  readonly first_at: Date;
  readonly every_unit: 'day' | 'month' | null;
  readonly every_count: number | null;
  /** Null = until it is stopped. */
  readonly times: number | null;
  readonly expires_unit: 'day' | 'month' | null;
  readonly expires_count: number | null;
  readonly cap_micro: bigint | null;
  /** When the next one is due; null = nothing more is given. */
  readonly next_at: Date | null;
  readonly given: number;
  /** Occurrences slept through of which nothing would be left. */
  readonly skipped: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly stopped_at: Date | null;
}

/** In the tenant: newest first, at most `limit`. */
export function listGrantSchedulesStatement(org_id: string, limit: number): Statement {
  return {
    text: `select s.schedule_id, s.source, s.amount_micro, s.reason, s.first_at, s.every_unit, s.every_count, s.times,
                  s.expires_unit, s.expires_count, s.cap_micro, s.next_at,
                  (select count(*)::int from netra.scheduled_grant g
                    where g.org_id = s.org_id and g.schedule_id = s.schedule_id) as given,
                  s.skipped, s.created_by, s.created_at, s.stopped_at
             from netra.grant_schedule s
            where s.org_id = $1 order by s.created_at desc, s.schedule_id limit $2`,
    values: [org_id, limit],
  };
}
