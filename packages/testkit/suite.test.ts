import { describe, expect, it } from 'vitest';
import { suite, withClickHouse, withOwner } from './index.ts';

describe('suite', () => {
  const first = suite();
  const second = suite();

  // Planted bug that turns it red: a fixed database name in suite().
  it('gives each suite a migrated database of its own', async () => {
    const org_id = await first.createOrg();
    const orgs = async (url: string): Promise<readonly string[]> => {
      const found = await withOwner(url, (client) => client.query<{ org_id: string }>('select org_id from netra.org'));
      return found.rows.map((row) => row.org_id);
    };
    expect(await orgs(first.stores.postgres_url)).toEqual([org_id]);
    expect(await orgs(second.stores.postgres_url)).toEqual([]);
    expect(first.org_id).not.toBe(second.org_id);
  });

  // Planted bug that turns it red: createOrg without netra.subscribe.
  it('makes an organisation whose plan has granted its first credits', async () => {
    const org_id = await first.createOrg('mid');
    const balance = await withOwner(first.stores.postgres_url, (client) =>
      client.query<{ available_micro: string }>('select available_micro from netra.wallet where org_id = $1', [org_id]),
    );
    expect(balance.rows).toEqual([{ available_micro: '5000000000' }]);
  });

  it('gives a migrated ClickHouse database', async () => {
    const tables = await withClickHouse(first.stores.clickhouse_url, async (client) => {
      const answer = await client.query({ query: 'show tables', format: 'JSONEachRow' });
      return answer.json<{ name: string }>();
    });
    expect(tables.map(({ name }) => name)).toContain('usage');
  });
});
