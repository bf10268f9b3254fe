import { NetraError } from '@netra/contract';
import { checkSettled } from '../analytics/index.ts';
import { examineInvoices, examinePriceBooks } from '../billing/index.ts';
import { examineBooks } from '../ledger/index.ts';
import { examineSpending } from '../plans/index.ts';
import type { Fault, Platform } from '../platform/index.ts';
import { examineRunLog } from '../runs/index.ts';

/** What one part of the examination found; no breach and no fault = it is well. */
export interface Finding {
  readonly invariants: string;
  /** What does not add up. */
  readonly breaches: readonly object[];
  /** The rows behind it, each with what it takes to mend it. */
  readonly faults: readonly Fault[];
}

/** Every invariant, over the installation or over one organisation. Reads only; one part after the other. */
export async function examine(platform: Platform, org_id: string | undefined): Promise<readonly Finding[]> {
  if (org_id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(org_id))
    throw new NetraError('invalid_request', '--org takes the id of an organisation');
  const input = { org_id };
  const books = await examineBooks({ platform, input });
  const spending = await examineSpending({ platform, input });
  const settled = await checkSettled({ platform, input });
  const invoices = await examineInvoices({ platform, input });
  const log = await examineRunLog({ platform, input });
  const prices = await examinePriceBooks({ platform });
  return [
    { invariants: 'M1–M3 the books and their chains', ...books },
    { invariants: 'M2 what caps are held against', breaches: [], faults: spending },
    {
      invariants: `M4 settled = summed${stillWaiting(settled.waiting)}`,
      breaches: settled.breaches,
      faults: settled.faults,
    },
    { invariants: 'M5 the invoices and payments', ...invoices },
    { invariants: 'R1, R2 the run log', ...log },
    { invariants: 'the kept price books', breaches: [], faults: prices },
  ];
}

export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ breaches, faults }) => breaches.length === 0 && faults.length === 0);
}

/** Charges reach ClickHouse within a minute; until then an organisation's sums cannot be compared. */
function stillWaiting(organisations: number): string {
  return organisations === 0 ? '' : ` (${organisations} not compared: charges on their way)`;
}
