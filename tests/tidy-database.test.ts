import { suite, withOwner } from '@netra/testkit';
import { describe, expect, it } from 'vitest';

// T1 read off the real catalogue of a migrated database, so that no migration can forget it. Planted bug that turns it
// red: a table without `force row level security`, or with a key that does not start with the organisation.
describe('T1: the schema', () => {
  const { stores } = suite();
  const rows = async (text: string): Promise<readonly string[]> => {
    const result = await withOwner(stores.postgres_url, (client) => client.query<{ name: string }>(text));
    return result.rows.map(({ name }) => name);
  };

  it('T1 forces row-level security on each table that has an organisation', async () => {
    const open = `
      select c.relname as name
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
      where c.relnamespace = 'netra'::regnamespace and c.relkind in ('r', 'p')
        and not (c.relrowsecurity and c.relforcerowsecurity)`;
    expect(await rows(open)).toEqual([]);
  });

  it('T1 starts each key of a tenant table with its organisation', async () => {
    const other = `
      select c.relname || '.' || k.conname as name
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
      join pg_constraint k on k.conrelid = c.oid and k.contype in ('p', 'u')
      where c.relnamespace = 'netra'::regnamespace and c.relkind in ('r', 'p') and k.conkey[1] <> a.attnum`;
    expect(await rows(other)).toEqual([]);
  });

  it('T1 gives each tenant table a primary key and a policy for the application', async () => {
    const bare = `
      select c.relname as name
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
      where c.relnamespace = 'netra'::regnamespace and c.relkind in ('r', 'p')
        and (not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')
          or not exists (select from pg_policy p where p.polrelid = c.oid))`;
    expect(await rows(bare)).toEqual([]);
  });

  it('T1 logs the application in as a role that owns nothing and bypasses nothing', async () => {
    const mighty = `
      select rolname as name from pg_roles
      where rolname in ('netra_app', 'netra_log', 'netra_system') and (rolsuper or rolbypassrls or rolcreatedb or rolcreaterole)
      union all
      select c.relname from pg_class c join pg_roles r on r.oid = c.relowner
      where c.relnamespace = 'netra'::regnamespace and c.relkind in ('r', 'p') and r.rolname = 'netra_app'`;
    expect(await rows(mighty)).toEqual([]);
  });

  it('T1 pins the search path of each function that runs as its owner', async () => {
    const loose = `
      select p.proname as name from pg_proc p
      where p.pronamespace = 'netra'::regnamespace and p.prosecdef
        and not exists (select from unnest(p.proconfig) setting where setting like 'search_path=%')`;
    expect(await rows(loose)).toEqual([]);
  });
});
