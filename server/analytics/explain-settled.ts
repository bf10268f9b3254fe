import type { Fault, Platform } from '../platform/index.ts';
import { chargesOfDayText, settledOfDay, type ChargeRow } from './sql/outbox.ts';

/** Charges of one kind of fault that are told one by one. */
const maxRows = 5;

const advice = {
  charge_missing: {
    means:
      'PostgreSQL settled a run whose charge is not in ClickHouse, and the outbox is empty: the row was deleted there, or the outbox was emptied by hand.',
    mend: 'Put the charge into netra.outbox again (kind `charge`, the id of the hold, the payload that netra.end_run writes); the next round sends it.',
  },
  charge_doubled: {
    means:
      'ClickHouse has the charge of a run more than once: it was inserted past the outbox, whose batches deduplicate.',
    mend: 'Delete the surplus (`alter table charge delete where …`) and insert the charge once.',
  },
  charge_altered: {
    means:
      'ClickHouse has another amount than PostgreSQL settled. PostgreSQL is the truth: reports are wrong, bills are not.',
    mend: 'Delete the row in ClickHouse and put the charge into netra.outbox again. If the hold is at fault too, mend that first.',
  },
  charge_unknown: {
    means: 'ClickHouse has a charge of a run that has not ended in PostgreSQL, or is not there.',
    mend: 'If PostgreSQL was restored to an earlier moment, delete the charges after it in ClickHouse. If a run is missing, look at R1 first.',
  },
} as const;

/** The charges of one day of an organisation that differ; by day, so that years of charges are not read into memory. */
export async function explainSettled({
  platform,
  input: { org_id, day },
}: {
  platform: Platform;
  input: { readonly org_id: string; readonly day: string };
}): Promise<readonly Fault[]> {
  const due = await platform.postgres.inOrg(org_id, (tx) => tx.rows<ChargeRow>(settledOfDay(org_id, day)));
  const there = await platform.clickhouse.query<ChargeRow>(chargesOfDayText, { org: org_id, day });
  const faults = compare(org_id, due, there);
  const seen = new Map<string, number>();
  for (const { fault } of faults) seen.set(fault, (seen.get(fault) ?? 0) + 1);
  const told = new Map<string, number>();
  return faults.flatMap((each) => {
    const before = told.get(each.fault) ?? 0;
    told.set(each.fault, before + 1);
    return before < maxRows ? [{ ...each, of: seen.get(each.fault) ?? 0 }] : [];
  });
}

function compare(org_id: string, due: readonly ChargeRow[], there: readonly ChargeRow[]): Fault[] {
  const charges = new Map(there.map((row) => [row.hold_id, row]));
  const faults = due.flatMap((row) => {
    const charge = charges.get(row.hold_id);
    charges.delete(row.hold_id);
    if (charge?.micro === row.micro && charge.times === '1') return [];
    const fault = charge === undefined ? 'charge_missing' : charge.times === '1' ? 'charge_altered' : 'charge_doubled';
    return [
      faultOf(org_id, fault, row, row.micro, charge === undefined ? 'no row' : `${charge.micro} in ${charge.times}`),
    ];
  });
  const unknown = [...charges.values()].map((row) => faultOf(org_id, 'charge_unknown', row, 'no row', row.micro));
  return [...faults, ...unknown].toSorted((a, b) => Number(a.since) - Number(b.since));
}

function faultOf(org_id: string, fault: keyof typeof advice, row: ChargeRow, expected: string, found: string): Fault {
  const { hold_id, run_id } = row;
  return {
    invariant: 'M4',
    fault,
    place: 'charge (ClickHouse)',
    key: { org_id, event_id: hold_id, run_id },
    since: new Date(row.at),
    expected,
    found,
    of: 1,
    ...advice[fault],
  };
}

export const faultsOfCharges = Object.keys(advice);
