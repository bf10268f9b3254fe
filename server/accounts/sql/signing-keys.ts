import { tokenAlgorithm } from '../token-claims.ts';
import type { Statement } from '../../platform/index.ts';

export interface PublicKeyRow {
  readonly id: string;
  readonly public_key: string;
}

/** Keys that sign, and retired ones whose tokens may still live, newest first. */
export function publicKeys(grace_s: number, limit: number): Statement {
  return {
    name: 'accounts_public_keys',
    text: `
      select id, public_key from auth.jwks
      where alg = $1 and (expires_at is null or expires_at > now() - make_interval(secs => $2))
      order by created_at desc
      limit $3`,
    values: [tokenAlgorithm, grace_s, limit],
  };
}
