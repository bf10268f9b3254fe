import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { findPurchasesStatement, type PurchaseRow } from './sql/purchases.ts';

const input = z.object({
  state: z.enum(['pending', 'paid', 'cancelled', 'refunded']).nullable().default(null),
  limit: z.number().int().min(1).max(1_000).default(100),
});
export type FindPurchasesInput = z.input<typeof input>;

/** Purchases of every organisation, newest first. For operators: no route leads here. */
export async function findPurchases({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: FindPurchasesInput;
}): Promise<readonly PurchaseRow[]> {
  const { state, limit } = parseInput(input, raw);
  return platform.postgres.call<PurchaseRow>(findPurchasesStatement(state, limit));
}
