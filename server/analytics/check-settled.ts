import type { Platform } from '../platform/index.ts';
import { chargesText, readSettled } from './sql/outbox.ts';

export interface SettledBreach {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly summed_micro: string;
}

export interface SettledReport {
  readonly organisations: number;
  /** Not compared: some of their charges are still on the way. */
  readonly waiting: number;
  readonly breaches: readonly SettledBreach[];
}

interface Settled {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly waiting: bigint;
}

/**
 * M4: what PostgreSQL settled equals what ClickHouse sums, for each organisation whose outbox is empty. Read-only. On
 * a busy installation a run may end between the two readings, so what differs is read again before it is a breach.
 */
export async function checkSettled({ platform }: { platform: Platform }): Promise<SettledReport> {
  const first = await compare(platform);
  if (first.breaches.length === 0) return first;
  const suspects = new Set(first.breaches.map(({ org_id }) => org_id));
  const again = await compare(platform);
  return { ...again, breaches: again.breaches.filter(({ org_id }) => suspects.has(org_id)) };
}

async function compare(platform: Platform): Promise<SettledReport> {
  const settled = await platform.postgres.call<Settled>(readSettled());
  const ready = settled.filter(({ waiting }) => waiting === 0n);
  const summed = await sumCharges(platform);
  const breaches = ready
    .map(({ org_id, settled_micro }) => ({ org_id, settled_micro, summed_micro: summed.get(org_id) ?? '0' }))
    .filter(({ settled_micro, summed_micro }) => BigInt(settled_micro) !== BigInt(summed_micro));
  return { organisations: settled.length, waiting: settled.length - ready.length, breaches };
}

async function sumCharges(platform: Platform): Promise<ReadonlyMap<string, string>> {
  const rows = await platform.clickhouse.query<{ org_id: string; summed: string }>(chargesText, {});
  return new Map(rows.map(({ org_id, summed }) => [org_id, summed]));
}
