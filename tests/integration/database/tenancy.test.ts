/**
 * Segment: every customer.
 * Goal: no statement of the application reads or writes another organisation's row.
 * Value: one customer's runs, credits and data are never seen by another, whatever a query forgets to ask for.
 * Strategic impact: one leak between tenants ends the trust that all of them have in the product.
 */
import { randomUUID } from 'node:crypto';
import { suite, withOwner } from '@netra/testkit';
import { escapeIdentifier, Pool, type PoolClient } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { deriveLoginUrl, loginRoles, setLogin } from '../../../server/platform/index.ts';

interface Table {
  readonly name: string;
  readonly secured: boolean;
  readonly forced: boolean;
  readonly policies: number;
  readonly app_policies: number;
}

/** Out of the catalogue, so that a table of tomorrow is in the test the day it is made. */
const tenantTables = `
  select c.relname as name, c.relrowsecurity as secured, c.relforcerowsecurity as forced,
         (select count(*)::int from pg_policy p where p.polrelid = c.oid) as policies,
         (select count(*)::int from pg_policy p
           where p.polrelid = c.oid and ('netra_app'::regrole = any (p.polroles) or 0 = any (p.polroles))) as app_policies
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
  where c.relnamespace = 'netra'::regnamespace and c.relkind in ('r', 'p')
  order by 1`;

const [ours, theirs] = [randomUUID(), randomUUID()];

// Planted bugs, each of which turns it red: `disable row level security` on a table; no `force`; a policy `using (true)`
// for netra_app, or one without `with check`; enter_org() with is_local = false; a grant to netra_app on schema auth.
describe('T1: two organisations in one database', () => {
  const home = suite();
  let tables: readonly Table[] = [];
  let app: Pool;
  let auth: Pool;

  beforeAll(async () => {
    const url = home.stores.postgres_url;
    for (const role of loginRoles) await setLogin(url, role);
    app = new Pool({ connectionString: deriveLoginUrl(url, 'netra_app'), max: 1 });
    auth = new Pool({ connectionString: deriveLoginUrl(url, 'netra_auth'), max: 1 });
    for (const pool of [app, auth]) {
      // The suite's database goes with force; a connection that ends by it is no failure.
      pool.on('error', () => undefined);
      home.onEnd(() => pool.end());
    }
    tables = await withOwner(url, async (client) => (await client.query<Table>(tenantTables)).rows);
    await layBareAndFill(url, tables);
  });

  it('T1 knows the tables: there are some, each with row-level security enabled, forced, and a policy', () => {
    expect(tables.map(({ name }) => name)).toContain('org');
    expect(tables.filter(({ secured, forced, policies }) => !secured || !forced || policies === 0)).toEqual([]);
  });

  it('T1 shows the application no row of any table while no organisation is entered', async () => {
    expect(await counts(null)).toEqual(tables.map(({ name }) => [name, 0, 0]));
  });

  it('T1 shows the application no row of the other organisation, in any table', async () => {
    // The first figure is the control: where a policy lets the application in, it sees its own row.
    expect(await counts(ours)).toEqual(tables.map(({ name, app_policies }) => [name, app_policies > 0 ? 1 : 0, 0]));
  });

  it('T1 lets the application insert for the other organisation into no table', async () => {
    for (const { name } of tables) {
      const refusal = await refusalOf(
        ours,
        `insert into netra.${escapeIdentifier(name)} (org_id) values ('${theirs}')`,
      );
      expect(refusal, name).toMatch(/row-level security/);
    }
  });

  it('T1 lets the application insert into no table while no organisation is entered', async () => {
    for (const { name } of tables) {
      const refusal = await refusalOf(null, `insert into netra.${escapeIdentifier(name)} (org_id) values ('${ours}')`);
      expect(refusal, name).toMatch(/row-level security/);
    }
  });

  it('T1 lets the application change, delete or take over no row of the other organisation', async () => {
    for (const { name, app_policies } of tables) {
      const table = `netra.${escapeIdentifier(name)}`;
      expect(await touched(ours, `update ${table} set org_id = '${ours}' where org_id = '${theirs}'`), name).toBe(0);
      expect(await touched(ours, `delete from ${table} where org_id = '${theirs}'`), name).toBe(0);
      const give = `update ${table} set org_id = '${theirs}' where org_id = '${ours}'`;
      // Where it may not even see its own row, there is nothing to give away.
      const given = await within(ours, async (client) => (await client.query(give)).rowCount).catch(messageOf);
      expect(given, name).toEqual(app_policies > 0 ? expect.stringMatching(/row-level security/) : 0);
    }
  });

  it('T1 leaves no organisation entered on a connection that goes back to the pool', async () => {
    // Committed, since a rollback would hide it; the pool has one connection, so the next query is on the same.
    await app.query(`begin; select netra.enter_org('${ours}'); commit`);
    const { rows } = await app.query<{ org: string | null }>('select netra.current_org() as org');
    expect(rows).toEqual([{ org: null }]);
  });

  it('T1 has no view that would read a table with the rights of its owner', async () => {
    const views = `
      select relname as name from pg_class
      where relnamespace = 'netra'::regnamespace and relkind in ('v', 'm')
        and not coalesce(reloptions::text[] && array['security_invoker=true', 'security_invoker=on'], false)`;
    const found = await withOwner(home.stores.postgres_url, (client) => client.query(views));
    expect(found.rows).toEqual([]);
  });

  it('T1 keeps schema auth from the roles that run agents, and schema netra from the role that signs people in', async () => {
    const names = `select c.relname as name from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r'`;
    const found = await withOwner(home.stores.postgres_url, (client) => client.query<{ name: string }>(names));
    expect(found.rows.map(({ name }) => name)).toEqual(expect.arrayContaining(['account', 'jwks', 'session', 'user']));
    for (const { name } of found.rows) {
      const select = `select from auth.${escapeIdentifier(name)}`;
      expect(await app.query(select).catch(messageOf), name).toBe('permission denied for schema auth');
      expect((await auth.query(select)).rowCount, 'the control').toBe(0);
    }
    for (const { name } of tables) {
      const select = `select from netra.${escapeIdentifier(name)}`;
      expect(await auth.query(select).catch(messageOf), name).toBe('permission denied for schema netra');
    }
    const roles = `
      select r.rolname, p.privilege
      from pg_roles r, unnest(array['usage', 'create']) p(privilege)
      where r.rolname in ('netra_app', 'netra_log', 'netra_system') and has_schema_privilege(r.oid, 'auth', p.privilege)`;
    const granted = await withOwner(home.stores.postgres_url, (client) => client.query(roles));
    expect(granted.rows).toEqual([]);
  });

  /** As netra_app, inside an organisation or (null) none. Rolled back: tests leave the rows as they found them. */
  async function within<T>(org: string | null, work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await app.connect();
    try {
      await client.query('begin');
      if (org !== null) await client.query('select netra.enter_org($1)', [org]);
      return await work(client);
    } finally {
      await client.query('rollback');
      client.release();
    }
  }

  /** [table, own rows, the other's rows] as the application sees them. */
  async function counts(org: string | null): Promise<(string | number | undefined)[][]> {
    return within(org, async (client) => {
      const seen: (string | number | undefined)[][] = [];
      for (const { name } of tables) {
        const count = `
          select count(*) filter (where org_id = $1)::int as own, count(*) filter (where org_id <> $1)::int as others
          from netra.${escapeIdentifier(name)}`;
        const { rows } = await client.query<{ own: number; others: number }>(count, [ours]);
        seen.push([name, rows[0]?.own, rows[0]?.others]);
      }
      return seen;
    });
  }

  function refusalOf(org: string | null, text: string): Promise<unknown> {
    return within(org, async (client) => (await client.query(text)).rowCount).catch(messageOf);
  }

  function touched(org: string, text: string): Promise<number | null> {
    return within(org, async (client) => (await client.query(text)).rowCount);
  }
});

/** A part of a table, as SQL names both. */
interface Named {
  table: string;
  name: string;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * In this suite's own database: takes every constraint, trigger and missing grant out of the way, so that nothing but
 * row-level security stands between the application and a row, and gives each table a row of each organisation.
 */
async function layBareAndFill(url: string, tables: readonly Table[]): Promise<void> {
  await withOwner(url, async (client) => {
    // An identity column may not lose its "not null" while it is one.
    const identities = `
      select attrelid::regclass::text as table, quote_ident(attname) as name
      from pg_attribute
      where attidentity <> '' and attrelid in (select oid from pg_class where relnamespace = 'netra'::regnamespace)`;
    for (const { table, name } of (await client.query<Named>(identities)).rows) {
      await client.query(`alter table ${table} alter column ${name} drop identity`);
    }
    // Keys before what they rest on: foreign keys, then the others; a partition's go with its parent's.
    const constraints = `
      select c.conrelid::regclass::text as table, quote_ident(c.conname) as name
      from pg_constraint c
      where c.connamespace = 'netra'::regnamespace and c.conrelid <> 0 and c.coninhcount = 0
      order by c.contype <> 'f', c.contype = 'n'`;
    const found = await client.query<Named>(constraints);
    for (const { table, name } of found.rows) {
      await client.query(`alter table ${table} drop constraint if exists ${name} cascade`);
    }
    await client.query('grant select, insert, update, delete on all tables in schema netra to netra_app');
    for (const { name } of tables) {
      const table = `netra.${escapeIdentifier(name)}`;
      await client.query(`alter table ${table} disable trigger user`);
      await client.query(`insert into ${table} (org_id) values ($1), ($2)`, [ours, theirs]);
    }
  });
}
