import { examinationLimits, type Breach, type Postgres } from '../platform/index.ts';
import { checkBooksStatement } from './sql/examination.ts';

/** M1–M3 over every organisation, read-only, in one snapshot. None = the books balance. */
export async function checkBooks({
  platform,
}: {
  platform: { readonly postgres: Pick<Postgres, 'call'> };
}): Promise<readonly Breach[]> {
  return platform.postgres.call<Breach>(checkBooksStatement('all', examinationLimits.breaches));
}
