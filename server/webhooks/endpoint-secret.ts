import { NetraError } from '@netra/contract';
import { randomBytes } from 'node:crypto';
import { seal, unseal, type Platform, type SealOptions } from '../platform/index.ts';

/** A new signing secret, as Standard Webhooks writes them: 32 random bytes. */
export function makeSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

export function sealSecret(platform: Platform, endpoint_id: string, secret: string): string {
  return seal(secret, optionsOf(platform, endpoint_id));
}

/** Null if it was sealed with another secret of the installation. */
export function unsealSecret(platform: Platform, endpoint_id: string, sealed: string): string | null {
  return unseal(sealed, optionsOf(platform, endpoint_id));
}

function optionsOf({ config }: Platform, endpoint_id: string): SealOptions {
  return { secret: config.secret, purpose: 'webhooks', owner: endpoint_id };
}

const replay_ms = 24 * 3_600_000;

/**
 * The secret for a repeated request, whose first answer may have been lost. Only for a day, the life of an
 * Idempotency-Key: later, the key would be a second way to the secret for as long as the endpoint lives.
 */
export function repeatSecret(platform: Platform, endpoint_id: string, sealed: string, made_at: Date): string {
  const secret = unsealSecret(platform, endpoint_id, sealed);
  if (secret !== null && platform.clock.nowMs() - made_at.getTime() < replay_ms) return secret;
  throw new NetraError('conflict', 'This was done already, and its secret is no longer shown: rotate it.', {
    webhook: endpoint_id,
  });
}
