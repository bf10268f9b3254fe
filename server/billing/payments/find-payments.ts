import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { findPaymentsStatement, type FoundPayment } from './sql/payments.ts';

const input = z.object({ limit: z.number().int().min(1).max(1_000).default(100) });

/** Payments of every organisation, newest first. For operators: no route leads here. */
export async function findPayments({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: z.input<typeof input>;
}): Promise<readonly FoundPayment[]> {
  const { limit } = parseInput(input, raw);
  return platform.postgres.call<FoundPayment>(findPaymentsStatement(null, limit));
}
