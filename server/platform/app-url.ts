import { createHmac } from 'node:crypto';
import { NetraError } from '@netra/contract';

export const appRole = 'netra_app';

/**
 * The application's login, derived from the owner's URL: same server and database, user netra_app, a password that is
 * an HMAC of the owner's, so that it needs no place of its own and knowing it does not give the owner's.
 */
export function deriveAppUrl(owner_url: string): string {
  const url = new URL(owner_url);
  const password = url.searchParams.get('password') ?? decodeURIComponent(url.password);
  if (password === '') {
    throw new NetraError('config_invalid', 'NETRA_POSTGRES_APP_URL is required when the owner URL has no password');
  }
  url.searchParams.delete('user');
  url.searchParams.delete('password');
  url.username = appRole;
  url.password = createHmac('sha256', password).update(`netra login ${appRole}`).digest('base64url');
  return url.toString();
}
