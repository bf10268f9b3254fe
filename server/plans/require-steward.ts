import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';

/** Throws `forbidden` unless an owner or admin asks: what a subscription costs is theirs to decide. */
export function requireSteward({ principal }: Ctx, what: string): void {
  if (principal.role === 'owner' || principal.role === 'admin') return;
  throw new NetraError('forbidden', `Only an owner or admin can ${what}.`);
}
