import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { appRole, deriveLoginUrl, type LoginRole } from '../app-url.ts';
import { connectionOptions } from '../connection-options.ts';
import { withMigrationClient } from './migrate-postgres.ts';

const iterations = 4096;

/** What PostgreSQL keeps of a password (RFC 5803), so that the password itself is in no statement and no log. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const stored = createHash('sha256')
    .update(createHmac('sha256', salted).update('Client Key').digest())
    .digest('base64');
  const server = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}

async function canLogIn(url: string): Promise<boolean> {
  const client = new Client({ ...connectionOptions(url), connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Lets a role log in with the password derived from the owner's, if it cannot already. The role belongs to the
 * cluster, so another database's migrator may set the same password at the same moment: then that is as good.
 */
export async function setLogin(owner_url: string, role: LoginRole, random: () => number = Math.random): Promise<void> {
  const url = deriveLoginUrl(owner_url, role);
  const password = decodeURIComponent(new URL(url).password);
  for (let attempt = 1; !(await canLogIn(url)); attempt += 1) {
    try {
      await withMigrationClient(owner_url, (client) =>
        client.query(`alter role ${role} login password '${scramVerifier(password)}'`),
      );
    } catch (error) {
      if (attempt === 10) throw error;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, random() * 50 * attempt);
      await promise;
    }
    if (attempt === 10) {
      const mend = role === appRole ? '; set NETRA_POSTGRES_APP_URL' : '';
      throw new Error(`${role} cannot log in with its derived password${mend}`);
    }
  }
}
