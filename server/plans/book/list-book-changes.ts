import type { Platform } from '../../platform/index.ts';
import { listBookChangesStatement, type BookChange } from '../sql/plan-book.ts';

/** Who changed a plan or an agent's fee, and when; the last 200, newest first. For operators. */
export async function listBookChanges({
  platform,
  input: { subject },
}: {
  platform: Platform;
  input: { readonly subject: string };
}): Promise<readonly BookChange[]> {
  return platform.postgres.call<BookChange>(listBookChangesStatement(subject));
}
