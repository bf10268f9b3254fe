import type { Fault, Platform } from '../platform/index.ts';
import { explainSettled } from './explain-settled.ts';
import { allChargesText, chargesText, readSettled } from './sql/outbox.ts';

export interface SettledBreach {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly summed_micro: string;
}

export interface SettledReport {
  readonly organisations: number;
  /** Not compared: some of their charges are on the way, or came in meanwhile. */
  readonly waiting: number;
  readonly breaches: readonly SettledBreach[];
  readonly faults: readonly Fault[];
}

interface Settled {
  readonly org_id: string;
  readonly settled_micro: string;
  readonly waiting: bigint;
}

/** Organisations whose charges are told one by one. */
const maxExplained = 20;

/**
 * M4: what PostgreSQL settled equals what ClickHouse sums, for each organisation whose outbox is empty; of one, or of
 * all. Read-only. There is no snapshot over both stores, so PostgreSQL is read before and after ClickHouse: of an
 * organisation that says the same twice, with nothing on the way, nothing has moved in between.
 */
export async function checkSettled({
  platform,
  input: { org_id } = {},
}: {
  platform: Platform;
  input?: { readonly org_id?: string | undefined };
}): Promise<SettledReport> {
  const read = (): Promise<readonly Settled[]> => readThem(platform, org_id);
  const before = new Map((await read()).map((each) => [each.org_id, each]));
  const text = org_id === undefined ? allChargesText : chargesText;
  const rows = await platform.clickhouse.query<{ org_id: string; summed: string }>(text, { org: org_id });
  const summed = new Map(rows.map((row) => [row.org_id, row.summed]));
  const settled = await read();
  const still = settled.filter((each) => isStill(before.get(each.org_id), each));
  const breaches = still
    .map((each) => ({ ...each, summed_micro: summed.get(each.org_id) ?? '0' }))
    .filter(({ settled_micro, summed_micro }) => BigInt(settled_micro) !== BigInt(summed_micro))
    .map(({ org_id: org, settled_micro, summed_micro }) => ({ org_id: org, settled_micro, summed_micro }));
  const faults: Fault[] = [];
  for (const breach of breaches.slice(0, maxExplained))
    faults.push(...(await explainSettled({ platform, input: breach })));
  return { organisations: settled.length, waiting: settled.length - still.length, breaches, faults };
}

/** Nothing of it was on the way, and nothing was settled, while ClickHouse was read. */
function isStill(before: Settled | undefined, after: Settled): boolean {
  return before?.waiting === 0n && after.waiting === 0n && before.settled_micro === after.settled_micro;
}

function readThem({ postgres }: Platform, org_id: string | undefined): Promise<readonly Settled[]> {
  if (org_id === undefined) return postgres.call<Settled>(readSettled('all'));
  return postgres.inOrg(org_id, (tx) => tx.rows<Settled>(readSettled('seen')));
}
