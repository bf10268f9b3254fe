import { adviceOn, examinationLimits, type Advice, type Fault, type Platform } from '../../platform/index.ts';
import { checkSpendingStatement, type SpendingFaultRow } from './sql/spending.ts';

const again =
  'Take the caps off and set them again (`PUT /v1/spending/caps`, each null first): the first one counts anew.';
const advice: Readonly<Record<string, Advice>> = {
  spending_altered: {
    means:
      'A counter of what is spent or held in a period is not what the transfers say: it was written by hand, and the caps are held against it.',
    mend: again,
  },
  cap_uncounted: {
    means:
      'A wallet is not marked as the caps of its organisation want it: its row or the caps were written by hand, and its movements pass the caps uncounted, or are counted for none.',
    mend: again,
  },
};

/** What the caps are held against, over every organisation or over one, read-only. None = it is what the ledger says. */
export async function examineSpending({
  platform,
  input: { org_id },
}: {
  platform: Pick<Platform, 'postgres'>;
  input: { readonly org_id?: string | undefined };
}): Promise<readonly Fault[]> {
  const { statement_timeout_ms, rows: max_rows } = examinationLimits;
  const rows = await platform.postgres.inSnapshot(statement_timeout_ms, (tx) =>
    tx.rows<SpendingFaultRow>(checkSpendingStatement(org_id, max_rows)),
  );
  return rows.map(({ org_id: of_org, fault, place, key, expected, found, of }) => ({
    invariant: 'M2',
    fault,
    place,
    key: { org_id: of_org, ...key },
    since: null,
    expected,
    found,
    of: Number(of),
    ...adviceOn(advice, fault),
  }));
}

/** Every kind of fault that has advice. */
export const faultsOfSpending = Object.keys(advice);
