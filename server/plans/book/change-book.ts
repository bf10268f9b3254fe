import { NetraError } from '@netra/contract';
import { oneRow, type Platform } from '../../platform/index.ts';
import { changeBookStatement, readRevisionStatement } from '../sql/plan-book.ts';

/** The last change of any book, and the database's time. Read before what is to be changed. */
export async function readBookRevision({
  platform: { postgres },
}: {
  platform: Platform;
}): Promise<{ readonly revision: bigint; readonly now: Date }> {
  return oneRow(await postgres.call<{ revision: bigint; now: Date }>(readRevisionStatement()));
}

/**
 * Writes dated rows of plans, fees or own prices, all or none, under the name of who did it. Throws `conflict` if a book
 * has moved past `revision`, or for a row that would change what has begun.
 */
export async function changeBook({
  platform: { postgres },
  input: { by, revision, changes },
}: {
  platform: Platform;
  input: { readonly by: string; readonly revision: bigint; readonly changes: readonly object[] };
}): Promise<void> {
  await postgres.call(changeBookStatement(by, revision, JSON.stringify(changes)));
}

/** Nothing was written; `problems` of the file are all there are. */
export function refuseFile(problems: readonly string[]): NetraError {
  return new NetraError('invalid_request', `Nothing was changed. ${problems.join('; ')}`, { problems });
}
