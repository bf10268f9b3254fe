import { NetraError } from '@netra/contract';
import { isAPIError } from 'better-auth/api';
import { mapPostgresError, parseInput, type Role } from '../platform/index.ts';
import { weakerRole } from './may-change-role.ts';
import type { TenantCall } from './room.ts';
import { createApiKeyInput } from './schemas.ts';

export interface NewApiKey {
  readonly key: string;
  /** Shown now and never again: only its SHA-256 is kept. */
  readonly secret: string;
  readonly name: string;
  readonly role: Role;
  readonly expires_at: Date | null;
}

/**
 * Makes a key that acts in this organisation with `role`, which may not exceed the caller's own. Owners and admins,
 * signed in: a key cannot make keys. The same `idempotency_key` again is a `conflict`, since a key is shown once.
 */
export async function createApiKey({ room, ctx, input }: TenantCall): Promise<NewApiKey> {
  const { name, role, expires_in_s, idempotency_key } = parseInput(createApiKeyInput, input);
  const { org_id, user_id, role: own, kind } = ctx.principal;
  if (kind !== 'user' || weakerRole(role, own) !== role) {
    throw new NetraError('forbidden', 'Your role does not allow making this key');
  }
  try {
    const made = await room.auth.api.createApiKey({
      body: {
        organizationId: org_id,
        userId: user_id,
        name,
        ...(expires_in_s === undefined ? {} : { expiresIn: expires_in_s }),
        metadata: { role, created_by: user_id, idempotency_key: idempotency_key ?? null },
      },
    });
    return { key: made.id, secret: made.key, name, role, expires_at: made.expiresAt };
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): Error {
  // better-auth has looked up the role as it is now.
  if (isAPIError(error) && error.statusCode === 403) {
    return new NetraError('forbidden', 'Your role does not allow making API keys');
  }
  if (constraintOf(error) === 'apikey_idempotency') {
    return new NetraError('conflict', 'A key was made with this Idempotency-Key; revoke it if its secret was lost');
  }
  return mapPostgresError(error, null);
}

function constraintOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'constraint' in error ? error.constraint : undefined;
}
