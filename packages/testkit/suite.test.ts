import { describe, expect, it } from 'vitest';
import { suite, withOwner } from './index.ts';

describe('suite', () => {
  const first = suite();
  const second = suite();

  // Planted bug that turns it red: a fixed database name in suite().
  it('gives each suite a migrated database of its own', async () => {
    await withOwner(first.stores.postgres_url, async (client) => {
      await client.query('insert into netra.org (org_id, name) values ($1, $2)', [first.org_id, 'first']);
    });
    const seen = await withOwner(second.stores.postgres_url, (client) => client.query('select from netra.org'));
    expect(seen.rowCount).toBe(0);
    expect(first.org_id).not.toBe(second.org_id);
  });
});
