import { createHash } from 'node:crypto';
import { createScheduleBody, NetraError } from '@netra/contract';
import { z } from 'zod';
import { checkRequest } from '../agents/index.ts';
import { oneRow, parseInput, type Ctx } from '../platform/index.ts';
import { firstTime } from './next-time.ts';
import { createScheduleStatement, type ScheduleRow } from './sql/schedules.ts';

const createScheduleInput = createScheduleBody.extend({ idempotency_key: z.string().min(1).max(255) });

/**
 * Makes a schedule of the caller: a run at each of its times, by the caller's rights then. The same key and request
 * again answers the same. Throws `invalid_request` for what is no timetable, `agent_not_in_plan`, `plan_limit`,
 * `not_found`, `forbidden`, `idempotency_key_reused`.
 */
export async function createSchedule({ ctx, input: raw }: { ctx: Ctx; input: unknown }): Promise<ScheduleRow> {
  if (ctx.principal.role === 'viewer') throw new NetraError('forbidden', 'A viewer cannot make schedules.');
  const { idempotency_key: key, ...asked } = parseInput(createScheduleInput, raw);
  const { agent, input, cron, time_zone, thread = null, if_busy, max_credits_micro: cap } = asked;
  const { platform, principal } = ctx;
  const input_json = checkRequest(ctx, { agent, input });
  return oneRow(
    await platform.postgres.call<ScheduleRow>(
      createScheduleStatement({
        org_id: principal.org_id,
        schedule_id: platform.ids.uuid(),
        user_id: principal.user_id,
        thread,
        agent,
        input_json,
        cron,
        time_zone,
        if_busy,
        max_micro: cap === undefined ? null : BigInt(cap),
        next_at: firstTime({ cron, time_zone }, new Date(platform.clock.nowMs())),
        key,
        hash: createHash('sha256')
          .update(JSON.stringify([agent, input_json, cron, time_zone, thread, if_busy, cap ?? null]))
          .digest('base64url'),
      }),
    ),
  );
}
