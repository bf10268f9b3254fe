import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';

/** Webhooks carry what the organisation owes and to whom: owners and admins alone see or change them. */
export function requireManager({ principal }: Ctx): void {
  if (principal.role === 'owner' || principal.role === 'admin') return;
  throw new NetraError('forbidden', 'Only an owner or admin can see or change webhooks.');
}
