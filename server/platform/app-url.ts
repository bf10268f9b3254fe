import { createHmac } from 'node:crypto';
import { NetraError } from '@netra/contract';

export const appRole = 'netra_app';
/** Reaches schema auth, which netra_app cannot: what runs agents cannot read a password hash or a signing key. */
export const authRole = 'netra_auth';
/** Roles that log in with a derived password; whoever migrates sets it. */
export const loginRoles = [appRole, authRole] as const;
export type LoginRole = (typeof loginRoles)[number];

export function deriveAppUrl(owner_url: string): string {
  return deriveLoginUrl(owner_url, appRole);
}

/**
 * A role's login, derived from the owner's URL: same server and database, and a password that is an HMAC of the
 * owner's, so that it needs no place of its own and knowing it gives neither the owner's nor the other role's.
 */
export function deriveLoginUrl(owner_url: string, role: LoginRole): string {
  const url = new URL(owner_url);
  const password = url.searchParams.get('password') ?? decodeURIComponent(url.password);
  if (password === '') {
    throw new NetraError('config_invalid', 'NETRA_POSTGRES_APP_URL is required when the owner URL has no password');
  }
  url.searchParams.delete('user');
  url.searchParams.delete('password');
  url.username = role;
  url.password = createHmac('sha256', password).update(`netra login ${role}`).digest('base64url');
  return url.toString();
}
