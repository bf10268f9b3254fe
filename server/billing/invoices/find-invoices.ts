import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { uuid } from './schemas.ts';
import { findInvoicesStatement, type FoundInvoice } from './sql/invoices.ts';

const input = z.object({
  number: z.string().min(1).max(60).optional(),
  org_id: uuid.optional(),
  state: z.enum(['open', 'paid', 'credited', 'issued']).optional(),
  limit: z.number().int().min(1).max(1000).default(50),
});
export type FindInvoicesInput = z.input<typeof input>;

/** For operators: documents of every organisation, newest first. No route leads here. */
export async function findInvoices({
  platform,
  input: raw,
}: {
  platform: Pick<Platform, 'postgres'>;
  input: FindInvoicesInput;
}): Promise<readonly FoundInvoice[]> {
  const { number = null, org_id = null, state = null, limit } = parseInput(input, raw);
  return platform.postgres.call<FoundInvoice>(findInvoicesStatement(number, org_id, state, limit));
}
