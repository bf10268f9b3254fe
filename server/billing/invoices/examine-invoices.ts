import { examine, type Examination, type Postgres } from '../../platform/index.ts';
import { howToMend } from './how-to-mend.ts';
import { checkBillingStatement, explainBillingStatement, explainSeriesStatement } from './sql/examination.ts';

/** The series run through all organisations: their breaches belong to none. */
const nobody = '00000000-0000-0000-0000-000000000000';

/**
 * M5, documents and payments, over every organisation, or over one (without the series of numbers, which are not one's),
 * and where it is broken the rows at fault. Throws nothing on a breach.
 */
export async function examineInvoices({
  platform: { postgres },
  input: { org_id },
}: {
  platform: { readonly postgres: Pick<Postgres, 'inSnapshot'> };
  input: { readonly org_id?: string | undefined };
}): Promise<Examination> {
  return examine({
    postgres,
    org_id,
    check: (tx, scope, limit) => tx.rows(checkBillingStatement(scope, limit)),
    explain: (tx, each, limit) =>
      tx.rows(each === nobody ? explainSeriesStatement(limit) : explainBillingStatement(each, limit)),
    howToMend,
  });
}
