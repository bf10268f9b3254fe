import { suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openClickHouse, openLog, type ClickHouse } from '../index.ts';
import { forCluster } from './for-cluster.ts';
import { readMigrations } from './read-migrations.ts';
import { splitStatements } from './split-statements.ts';

// Planted bugs seen red: `on cluster` behind `to` of a view; an engine left as it is. No cluster runs here: the engine
// parses the texts, and that they do on several nodes what they say is ClickHouse's own promise.
describe('the migrations of a cluster', () => {
  const on = suite();
  let store: ClickHouse;
  beforeAll(() => {
    store = openClickHouse(on.stores.clickhouse_url, { log: openLog({ level: 'silent' }) });
    on.onEnd(() => store.close());
  });

  const statements = readMigrations('clickhouse').flatMap(({ name, up, down }) =>
    [up, down].flatMap((text) => splitStatements(text).map((statement) => [name, statement] as const)),
  );

  it('are read by the engine, each on the cluster, each table replicated and deduplicated there', async () => {
    expect(statements.length).toBeGreaterThan(30);
    for (const [name, statement] of statements) {
      const text = forCluster(statement, 'main');
      expect(text.match(/on cluster 'main'/g), `${name}: ${text}`).toHaveLength(1);
      expect(text).not.toMatch(/engine = (Replacing|Aggregating)?MergeTree/);
      expect(text).not.toContain('non_replicated');
      const [row] = await store.query<{ formatted: string }>('select formatQuery({text:String}) as formatted', {
        text,
      });
      expect(row?.formatted).toMatch(/ ON CLUSTER main\b/);
    }
  });

  it('are the files themselves without one, and a form that is not known is refused', () => {
    for (const [, statement] of statements) expect(forCluster(statement, null)).toBe(statement);
    expect(() => forCluster('insert into usage select 1', 'main')).toThrow('cannot be run on a cluster');
  });
});
