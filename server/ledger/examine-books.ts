import { NetraError } from '@netra/contract';
import { examine, type Breach, type Examination, type Postgres, type Transaction } from '../platform/index.ts';
import { howToMend } from './how-to-mend.ts';
import { checkBooksStatement, checkChainStatement, explainBooksStatement, hasOrgStatement } from './sql/examination.ts';

/**
 * M1–M3 and the chains over every organisation, or over one, and where they are broken the rows at fault. Throws
 * `not_found` for an organisation that is not there, and nothing on a breach.
 */
export async function examineBooks({
  platform: { postgres },
  input: { org_id },
}: {
  platform: { readonly postgres: Pick<Postgres, 'inSnapshot'> };
  input: { readonly org_id?: string | undefined };
}): Promise<Examination> {
  return examine({
    postgres,
    org_id,
    async check(tx, scope, limit) {
      if (org_id !== undefined) await requireOrg(tx, org_id);
      const books = await tx.rows<Breach>(checkBooksStatement(scope, limit));
      return [...books, ...(await tx.rows<Breach>(checkChainStatement(scope, limit)))];
    },
    explain: (tx, each, limit) => tx.rows(explainBooksStatement(each, limit)),
    howToMend,
  });
}

async function requireOrg(tx: Transaction, org_id: string): Promise<void> {
  const [known] = await tx.rows(hasOrgStatement(org_id));
  if (known === undefined) throw new NetraError('not_found', 'There is no such organisation.', { org: org_id });
}
