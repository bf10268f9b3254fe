import { databaseUrl, withOwner } from '@netra/testkit';
import { deriveLoginUrl, loginRoles } from '../../server/platform/index.ts';

/** Roles belong to the cluster, and suites run beside each other: one at a time sets their passwords. */
export async function setLogins(postgres_url: string): Promise<void> {
  await withOwner(databaseUrl(postgres_url, 'postgres'), async (client) => {
    await client.query('begin; select pg_advisory_xact_lock(7430)');
    for (const role of loginRoles) {
      const { password } = new URL(deriveLoginUrl(postgres_url, role));
      await client.query(`alter role ${role} login password '${password}'`);
    }
    await client.query('commit');
  });
}
