import { z } from 'zod';
import { oneRow, parseInput, type Platform } from '../platform/index.ts';
import {
  deleteText,
  keptTables,
  limitedOrgs,
  overdueText,
  selectUsageRetentions,
  setUsageRetentionStatement,
  type UsageRetentionRow,
} from './sql/usage-retention.ts';

// Ids are bound in the URL, of which a server reads 16 KiB at least.
const orgs_batch = 200;
const day_ms = 86_400_000;
const first = '00000000-0000-0000-0000-000000000000';

interface Limited {
  readonly org_id: string;
  readonly usage_days: number;
}

/**
 * For a schedule: takes out of ClickHouse what is older than its organisation's plan keeps, by whole days, so that a
 * table is rewritten once a day at most. Rollups follow their rows. At most `batches` batches of 200 organisations.
 * Resolves to how many organisations had something to lose.
 */
export async function forgetUsage({
  platform,
  batches,
}: {
  readonly platform: Platform;
  readonly batches: number;
}): Promise<{ readonly orgs: number }> {
  const touched = new Set<string>();
  let after = first;
  for (let batch = 0; batch < batches; batch += 1) {
    const limited = await platform.postgres.call<Limited>(limitedOrgs(after, orgs_batch));
    for (const [days, orgs] of byDays(limited)) {
      for (const org of await forgetOlder(platform, days, orgs)) touched.add(org);
    }
    after = limited.at(-1)?.org_id ?? after;
    if (limited.length < orgs_batch) break;
  }
  return { orgs: touched.size };
}

function byDays(limited: readonly Limited[]): ReadonlyMap<number, readonly string[]> {
  const orgs = new Map<number, string[]>();
  for (const { org_id, usage_days } of limited) orgs.set(usage_days, [...(orgs.get(usage_days) ?? []), org_id]);
  return orgs;
}

async function forgetOlder(
  { clickhouse, clock }: Platform,
  days: number,
  orgs: readonly string[],
): Promise<ReadonlySet<string>> {
  const before = new Date(clock.nowMs() - days * day_ms).toISOString().slice(0, 10);
  const touched = new Set<string>();
  for (const table of keptTables) {
    const overdue = await clickhouse.query<{ id: string }>(overdueText(table), { orgs, before });
    if (overdue.length === 0) continue;
    const ids = overdue.map(({ id }) => id);
    await clickhouse.command(deleteText(table), { orgs: ids, before });
    for (const id of ids) touched.add(id);
  }
  return touched;
}

const retentionInput = z.object({
  by: z.string().min(1).max(200),
  plan: z.string().min(1).max(64),
  /** Absent = now. What has begun is never changed. */
  from: z.date().optional(),
  /** null = for ever. */
  usage_days: z.number().int().min(1).max(36_500).nullable(),
});

/** Says how long a plan keeps usage, from a moment on. Throws `conflict` for the past, `not_found` for no plan. */
export async function setUsageRetention({
  platform,
  input,
}: {
  readonly platform: Platform;
  readonly input: z.input<typeof retentionInput>;
}): Promise<{ readonly valid_from: Date }> {
  const { from = null, ...rest } = parseInput(retentionInput, input);
  const statement = setUsageRetentionStatement({ ...rest, from });
  return oneRow(await platform.postgres.call<{ valid_from: Date }>(statement));
}

/** Every dated row, also those that lie in the future. */
export function listUsageRetentions({
  platform,
}: {
  readonly platform: Platform;
}): Promise<readonly UsageRetentionRow[]> {
  return platform.postgres.call<UsageRetentionRow>(selectUsageRetentions);
}
