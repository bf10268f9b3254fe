import { NetraError } from '@netra/contract';
import { oneRow, type Platform } from '../platform/index.ts';
import type { Claim } from '../runs/index.ts';
import { beginRunStatement, type BegunRow } from './sql/begin-run.ts';

/** A claim of a run whose credits are held. */
export type HeldClaim = Claim & { readonly hold_id: string };

/**
 * Holds the credits of a run that waited for its turn, at today's fee and by today's plan; one that was admitted to begin
 * at once has them. Gives the refusal where they cannot be held: nobody is there any more to be told by an answer, so the
 * run ends with it. Throws what is not about this run: `fenced`, `unavailable`.
 */
export async function beginRun({
  platform,
  claim,
}: {
  readonly platform: Platform;
  readonly claim: Claim;
}): Promise<HeldClaim | NetraError> {
  const { hold_id } = claim;
  if (hold_id !== null) return { ...claim, hold_id };
  const { postgres, ids, config } = platform;
  try {
    const begun = oneRow(await postgres.call<BegunRow>(beginRunStatement(claim, ids.uuid(), config.credits)));
    return { ...claim, hold_id: begun.hold_id, fee_micro: begun.fee_micro };
  } catch (error) {
    if (error instanceof NetraError && !['fenced', 'unavailable'].includes(error.code)) return error;
    throw error;
  }
}
