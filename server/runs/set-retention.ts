import { z } from 'zod';
import { oneRow, parseInput, type Platform } from '../platform/index.ts';
import { selectRetentions, setRetentionStatement, type RetentionRow } from './sql/retention.ts';

const retentionInput = z.object({
  by: z.string().min(1).max(200),
  plan: z.string().min(1).max(64),
  /** Absent = now. What has begun is never changed. */
  from: z.date().optional(),
  /** null = for ever. */
  event_days: z.number().int().min(1).max(36_500).nullable(),
});
export type SetRetentionInput = z.input<typeof retentionInput>;

/** Says how long a plan keeps events, from a moment on. Throws `conflict` for the past, `not_found` for no plan. */
export async function setRetention({
  platform,
  input,
}: {
  readonly platform: Platform;
  readonly input: SetRetentionInput;
}): Promise<{ readonly valid_from: Date }> {
  const { from = null, ...rest } = parseInput(retentionInput, input);
  return oneRow(await platform.postgres.call<{ valid_from: Date }>(setRetentionStatement({ ...rest, from })));
}

/** Every dated row, also those that lie in the future. */
export function listRetentions({ platform }: { readonly platform: Platform }): Promise<readonly RetentionRow[]> {
  return platform.postgres.call<RetentionRow>(selectRetentions());
}
