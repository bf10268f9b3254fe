import { createHash } from 'node:crypto';
import { z } from 'zod';
import { NetraError } from '@netra/contract';
import type { Ctx } from '../../platform/index.ts';

export const purchaseId = z.uuid();
export const packName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'the name of a pack');
export const planName = z.string().min(1).max(40);
/** Dollars and cents as a decimal string, above zero. */
export const usd = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,2})?$/, 'dollars with at most two decimals')
  .refine((value) => /[1-9]/.test(value), 'must be more than zero');
/** What a payment is found again by at whoever carried it. */
export const reference = z.string().trim().min(1).max(200);
export const idempotencyKey = z.string().min(1).max(255);

/** Throws `forbidden` unless an owner or admin asks. */
export function requirePayer({ principal }: Ctx): void {
  if (principal.role === 'owner' || principal.role === 'admin') return;
  throw new NetraError('forbidden', 'Only an owner or admin can buy and see payments.');
}

/**
 * The id that a request of this key makes, the same in each try: the provider's own idempotency key is derived from it,
 * so that a try whose answer was lost is found again there. A version-8 UUID (RFC 9562 §5.8).
 */
export function idOfKey(org_id: string, purpose: string, key: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([org_id, purpose, key]))
    .digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}

/** A place in a list by time: `<microseconds>.<id>`. */
export const timeCursor = z
  .string()
  .regex(/^\d{1,17}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a cursor as a page before gave it')
  .transform((text) => {
    const [at_us = '0', id = ''] = text.split('.');
    return { at_us: BigInt(at_us), id };
  })
  .optional();
