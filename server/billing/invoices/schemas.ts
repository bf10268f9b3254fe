import { NetraError } from '@netra/contract';
import { z } from 'zod';
import type { Principal } from '../../platform/index.ts';

/** ISO 3166-1 alpha-2, as PostgreSQL checks it too. */
export const country = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z]{2}$/, 'two letters, as in ISO 3166-1');
/** A name as it is printed. */
export const legalName = z.string().trim().min(1).max(200);
/** Lines of an address, as they are printed. */
export const address = z.string().trim().min(1).max(500);
export const uuid = z.uuid();
/** Whole cents, more than zero. */
export const cents = z.string().regex(/^(?!0*(\.0{1,2})?$)\d{1,9}(\.\d{1,2})?$/, 'more than zero, in whole cents');

/** Invoices and whom they are made out to are the owner's and the admins' matter. Throws `forbidden`. */
export function mayHandleMoney({ role }: Principal): void {
  if (role === 'owner' || role === 'admin') return;
  throw new NetraError('forbidden', 'Only an owner or admin can see or change what is billed.');
}
