import { readFileSync } from 'node:fs';
import type { PoolConfig } from 'pg';

/**
 * Reads a PostgreSQL URL as libpq does. `sslmode=require` encrypts without checking who answers; `verify-ca` and
 * `verify-full` check. (The driver reads `require` as `verify-full` and prints a warning; libpq's meaning is the one
 * that operators know from every other tool.)
 */
export function connectionOptions(url: string): PoolConfig {
  const parsed = new URL(url);
  const parameter = (name: string): string | null => parsed.searchParams.get(name);
  // A folder as `host` is a unix socket, as in libpq.
  const host = parameter('host') ?? (parsed.hostname.replace(/^\[|\]$/g, '') || 'localhost');
  const user = parameter('user') ?? decodeURIComponent(parsed.username);
  const password = parameter('password') ?? decodeURIComponent(parsed.password);
  const database = decodeURIComponent(parsed.pathname.slice(1));
  return {
    host,
    port: Number(parameter('port') ?? (parsed.port || 5432)),
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
    ...(database === '' ? {} : { database }),
    ssl: tlsOptions(parsed.searchParams),
  };
}

function tlsOptions(parameters: URLSearchParams): PoolConfig['ssl'] {
  const mode = parameters.get('sslmode') ?? 'disable';
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return false;
  const file = (name: string): string | undefined => {
    const path = parameters.get(name);
    return path === null || path === 'system' ? undefined : readFileSync(path, 'utf8');
  };
  const [ca, cert, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')];
  const identity = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  if (mode === 'verify-full') return { ...identity, rejectUnauthorized: true };
  // verify-ca (and require with a root certificate, as in libpq) trusts the chain, whatever the host is called.
  if (mode === 'verify-ca' || ca !== undefined) {
    return { ...identity, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  }
  return { ...identity, rejectUnauthorized: false };
}
