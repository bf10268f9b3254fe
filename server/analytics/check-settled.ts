import type { Fault, Platform } from '../platform/index.ts';
import { explainSettled } from './explain-settled.ts';
import { allChargesText, chargesText, readSettled, settledByDay, type DayCharges } from './sql/outbox.ts';

export interface SettledBreach {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly summed_micro: string;
}

/** A UTC day of an organisation on which the two stores differ: in the sum, in the number of rows, or in rows twice. */
export interface SettledDay extends SettledBreach {
  readonly day: string;
  readonly settled_rows: string;
  readonly summed_rows: string;
}

export interface SettledReport {
  readonly organisations: number;
  /** Not compared: some of their charges are on the way, or came in meanwhile. */
  readonly waiting: number;
  readonly breaches: readonly SettledBreach[];
  /** The same by day, oldest first, also where the sums of an organisation agree by chance. */
  readonly days: readonly SettledDay[];
  readonly faults: readonly Fault[];
}

interface Settled {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly waiting: bigint;
}

/** Days of which charges are told one by one. */
const maxExplained = 20;

/**
 * M4: what PostgreSQL settled equals what ClickHouse sums, for each day of each organisation whose outbox is empty; of
 * one, or of all. Read-only. There is no snapshot over both stores, so PostgreSQL is read before and after ClickHouse:
 * of an organisation that says the same twice, with nothing on the way, nothing has moved in between.
 */
export async function checkSettled({
  platform,
  input: { org_id } = {},
}: {
  platform: Platform;
  input?: { readonly org_id?: string | undefined };
}): Promise<SettledReport> {
  const before = new Map((await readThem(platform, org_id)).map((each) => [each.org_id, each]));
  const text = org_id === undefined ? allChargesText : chargesText;
  const summed = groupByOrg(await platform.clickhouse.query<DayCharges & { org_id: string }>(text, { org: org_id }));
  const due = new Map<string, readonly DayCharges[]>();
  for (const { org_id: org, waiting } of before.values())
    if (waiting === 0n)
      due.set(org, await platform.postgres.inOrg(org, (tx) => tx.rows<DayCharges>(settledByDay(org))));
  const settled = await readThem(platform, org_id);
  const still = settled.filter((each) => isStill(before.get(each.org_id), each));
  const days = still.flatMap(({ org_id: org }) => differences(org, due.get(org) ?? [], summed.get(org) ?? []));
  const faults: Fault[] = [];
  for (const { org_id: org, day } of days.slice(0, maxExplained))
    faults.push(...(await explainSettled({ platform, input: { org_id: org, day } })));
  const broken = new Set(days.map((each) => each.org_id));
  const breaches = still
    .filter((each) => broken.has(each.org_id))
    .map(({ org_id: org, settled_micro }) => ({
      org_id: org,
      settled_micro,
      summed_micro: String((summed.get(org) ?? []).reduce((sum, { micro }) => sum + BigInt(micro), 0n)),
    }));
  return { organisations: settled.length, waiting: settled.length - still.length, breaches, days, faults };
}

function groupByOrg(rows: readonly (DayCharges & { readonly org_id: string })[]): Map<string, DayCharges[]> {
  const days = new Map<string, DayCharges[]>();
  for (const row of rows) days.set(row.org_id, [...(days.get(row.org_id) ?? []), row]);
  return days;
}

function differences(org_id: string, due: readonly DayCharges[], there: readonly DayCharges[]): readonly SettledDay[] {
  const none = { micro: '0', rows: '0', runs: '0' };
  const summed = new Map(there.map((each) => [each.day, each]));
  const settled = new Map(due.map((each) => [each.day, each]));
  return [...new Set([...settled.keys(), ...summed.keys()])].toSorted().flatMap((day) => {
    const [ours, theirs] = [settled.get(day) ?? none, summed.get(day) ?? none];
    const same = ours.micro === theirs.micro && ours.rows === theirs.rows && theirs.rows === theirs.runs;
    const [settled_micro, summed_micro] = [ours.micro, theirs.micro];
    return same
      ? []
      : [{ org_id, day, settled_micro, summed_micro, settled_rows: ours.rows, summed_rows: theirs.rows }];
  });
}

/** Nothing of it was on the way, and nothing was settled, while ClickHouse was read. */
function isStill(before: Settled | undefined, after: Settled): boolean {
  return before?.waiting === 0n && after.waiting === 0n && before.settled_micro === after.settled_micro;
}

function readThem({ postgres }: Platform, org_id: string | undefined): Promise<readonly Settled[]> {
  if (org_id === undefined) return postgres.call<Settled>(readSettled('all'));
  return postgres.inOrg(org_id, (tx) => tx.rows<Settled>(readSettled('seen')));
}
