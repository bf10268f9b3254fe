import { z } from 'zod';
import { oneRow, parseInput, type Platform } from '../../platform/index.ts';
import { scheduleGrantStatement } from '../sql/grant-schedules.ts';

const step = z.object({ unit: z.enum(['day', 'month']), count: z.number().int().min(1).max(1200) });
const micro = z.bigint().max(2n ** 62n);

const input = z
  .object({
    org: z.uuid(),
    amount_micro: micro.min(1n),
    source: z.enum(['promotion', 'adjustment', 'purchase']),
    reason: z.string().min(1).max(200),
    /** What a repeat is known by, within the organisation. */
    key: z.string().min(1).max(200),
    /** Who gives it; kept. */
    by: z.string().min(1).max(200),
    /** Lower burns first; null = as its source does. */
    priority: z.number().int().min(0).max(1000).nullable().default(null),
    /** Null = now. */
    first_at: z.date().nullable().default(null),
    /** Null = once. */
    every: step.nullable().default(null),
    /** Null = until it is stopped. */
    times: z.number().int().min(1).max(12_000).nullable().default(null),
    /** How long each lives; null = for ever. */
    expires_after: step.nullable().default(null),
    /** What may be left of earlier ones when the next is given: the rest ends. 0 = a reset; null = all of it stays. */
    cap_micro: micro.min(0n).nullable().default(null),
  })
  .refine(({ every, times }) => every !== null || times === null || times === 1, {
    path: ['times'],
    message: 'more than once needs a step',
  })
  .refine(({ every, cap_micro }) => every !== null || cap_micro === null, {
    path: ['cap_micro'],
    message: 'a roll-over cap needs a step',
  });
export type ScheduleGrantInput = z.input<typeof input>;

/**
 * Gives an organisation credits now, later, or again and again; each occurrence once, whoever gives it. For operators:
 * no route leads here. The same key and terms again change nothing. Throws `not_found`, `invalid_request`, and
 * `idempotency_key_reused` for the same key with other terms.
 */
export async function scheduleGrant({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: ScheduleGrantInput;
}): Promise<{ readonly schedule_id: string }> {
  const { org, times, ...terms } = parseInput(input, raw);
  const statement = scheduleGrantStatement({
    ...terms,
    org_id: org,
    schedule_id: platform.ids.uuid(),
    times: terms.every === null ? 1 : times,
  });
  return oneRow(await platform.postgres.call<{ schedule_id: string }>(statement));
}
