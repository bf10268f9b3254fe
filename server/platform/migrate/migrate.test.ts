import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createClickHouseDatabase,
  createDatabase,
  databaseName,
  dropClickHouseDatabase,
  dropDatabase,
  eventually,
  suite,
  withOwner,
} from '@netra/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { migrateDown, migrateUp, migrationStatus, openClickHouse, openLog, readMigrations } from '../index.ts';
import { isRepeatable, splitStatements } from './split-statements.ts';

// Planted bugs seen red: the memory written outside of the step's transaction (killed at each statement); the ClickHouse
// row written before its statement; a rerun that starts one statement
// too late; no advisory lock (two at once); no lock_timeout (live queries queue).
const log = openLog({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'netra-migrate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Files = Readonly<Record<string, string>>;
const postgresSteps: Files = {
  '0001_one.up.sql': '-- not breaking: x\ncreate table one (id int);\ninsert into one values (1);',
  '0001_one.down.sql': 'drop table one;',
  '0002_two.up.sql':
    "-- not breaking: x\nalter table one add column note text default 'x;y';\ncreate table two (id int);\ninsert into two select id from one;\nupdate one set id = id + 1;",
  '0002_two.down.sql': 'drop table two;\nalter table one drop column note;\nupdate one set id = id - 1;',
};
const clickhouseSteps: Files = {
  '0001_one.up.sql': '-- not breaking: x\ncreate table if not exists one (id UInt64) engine = MergeTree order by id;',
  '0001_one.down.sql': 'drop table if exists one;',
  '0002_two.up.sql':
    "-- not breaking: x\nalter table one add column if not exists note String default 'x;y';\ncreate table if not exists two (id UInt64) engine = MergeTree order by id;\ncreate table if not exists three (id UInt64) engine = MergeTree order by id;",
  '0002_two.down.sql':
    'drop table if exists three;\ndrop table if exists two;\nalter table one drop column if exists note;',
};

function migrationsFolder(name: string, postgres: Files, clickhouse: Files): string {
  const dir = join(folder, name);
  for (const [store, files] of Object.entries({ postgres, clickhouse })) {
    mkdirSync(join(dir, store), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, store, file), text);
  }
  return dir;
}
const dir = migrationsFolder('all', postgresSteps, clickhouseSteps);

const index = new URL('./index.ts', import.meta.url).href;
const logModule = new URL('../log.ts', import.meta.url).href;

/** A migrator in a process of its own, which kills itself the hard way at `kill` (store/direction/version/phase/statement). */
function migrator(options: {
  readonly urls: object;
  readonly dir: string;
  readonly down?: object;
  readonly kill?: string;
}) {
  const script = `
    import { migrateUp, migrateDown } from ${JSON.stringify(index)};
    import { openLog } from ${JSON.stringify(logModule)};
    const { urls, dir, down, kill } = JSON.parse(process.argv[1]);
    const onProgress = ({ store, direction, version, phase, statement }) => {
      if ([store, direction, version, phase, statement].join('/') === kill) process.kill(process.pid, 'SIGKILL');
    };
    const options = { urls, dir, onProgress, log: openLog({ level: 'silent' }), lock_timeout_ms: 200 };
    await (down ? migrateDown({ ...options, ...down }) : migrateUp(options));`;
  const args = ['--input-type=module', '-e', script, JSON.stringify(options)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? String(code))),
  );
  return { child, ended };
}

const tables = (url: string) =>
  withOwner(url, async (client) => {
    const text = `select c.relname as t, string_agg(a.attname, ',' order by a.attnum) as columns from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1 order by 1`;
    return (await client.query<{ t: string; columns: string }>(text)).rows.map(({ t, columns }) => `${t}(${columns})`);
  });

const states = async (options: Parameters<typeof migrationStatus>[0]): Promise<string[]> =>
  (await migrationStatus(options)).map(({ store, version, state }) => `${store} ${version} ${state}`);

describe('migrations', () => {
  const on = suite();
  const databases: string[] = [];
  const newPostgres = async (): Promise<string> => {
    const name = databaseName('migrate');
    databases.push(name);
    return createDatabase(on.stores.postgres_url, name);
  };
  on.onEnd(async () => {
    for (const name of databases) await dropDatabase(on.stores.postgres_url, name);
  });

  it('PostgreSQL: killed at every statement, a rerun succeeds, and nothing is ever half there', async () => {
    const statements = postgresSteps['0002_two.up.sql']?.split('\n') ?? [];
    const postgres_url = await newPostgres();
    const urls = { postgres_url };
    await migrateUp({ urls, dir: migrationsFolder('first', only(postgresSteps, '0001'), {}), log });
    for (let at = 1; at <= statements.length; at += 1) {
      // The same step with a long sleep after its n-th statement: there the migrator is killed.
      const slow = [...statements.slice(0, at), 'select pg_sleep(60);', ...statements.slice(at)].join('\n');
      const slowDir = migrationsFolder(`slow-${at}`, { ...postgresSteps, '0002_two.up.sql': slow }, {});
      const { child, ended } = migrator({ urls, dir: slowDir });
      await eventually('it sleeps', () => sleeping(postgres_url));
      child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      expect(await tables(postgres_url), `killed at ${at}`).toEqual(['one(id)']);
      expect(await states({ urls, dir, log })).toEqual(['postgres 1 applied', 'postgres 2 pending']);
      // Waits until the server has noticed that nobody is there any more, and no longer.
      await migrateUp({ urls, dir, log });
      expect(await tables(postgres_url)).toEqual(['one(id,note)', 'two(id)']);
      await migrateDown({ urls, dir, log, steps: 1 });
    }
  }, 60_000);

  it.each(['begin/0', 'statement/1', 'done/0'])(
    'PostgreSQL: killed at %s of each step, up and down, a rerun ends the same',
    async (phase) => {
      const urls = { postgres_url: await newPostgres() };
      for (const version of [1, 2]) {
        expect(await migrator({ urls, dir, kill: `postgres/up/${version}/${phase}` }).ended).toBe('SIGKILL');
        const done = Array.from({ length: version - 1 }, (_, step) => `postgres ${step + 1} applied`);
        expect((await states({ urls, dir, log })).filter((state) => state.endsWith('applied'))).toEqual(done);
      }
      await migrateUp({ urls, dir, log });
      expect(await tables(urls.postgres_url)).toEqual(['one(id,note)', 'two(id)']);
      expect(await migrator({ urls, dir, down: { steps: 2 }, kill: `postgres/down/2/${phase}` }).ended).toBe('SIGKILL');
      expect(await tables(urls.postgres_url)).toEqual(['one(id,note)', 'two(id)']);
      expect((await migrateDown({ urls, dir, log, steps: 9 })).map(({ version }) => version)).toEqual([2, 1]);
      expect(await tables(urls.postgres_url)).toEqual([]);
    },
    60_000,
  );

  it('ClickHouse: killed at every statement, up and down, a rerun goes on and succeeds', async () => {
    const postgres_url = await newPostgres();
    await migrateUp({ urls: { postgres_url }, dir: migrationsFolder('none', only(postgresSteps, '0001'), {}), log });
    const name = databaseName('migrate');
    const clickhouse_url = await createClickHouseDatabase(on.stores.clickhouse_url, name);
    on.onEnd(() => dropClickHouseDatabase(on.stores.clickhouse_url, name));
    const urls = { postgres_url, clickhouse_url };
    const store = openClickHouse(clickhouse_url, { log });
    on.onEnd(() => store.close());
    const there = async (): Promise<string[]> => {
      const text =
        "select name from system.tables where database = currentDatabase() and name != 'netra_migration' order by name";
      return (await store.query<{ name: string }>(text, {})).map(({ name: table }) => table);
    };
    for (const kill of [
      '1/begin/0',
      '1/statement/1',
      '2/begin/0',
      '2/statement/1',
      '2/recorded/1',
      '2/statement/2',
      '2/recorded/2',
      '2/statement/3',
    ]) {
      expect(await migrator({ urls, dir, kill: `clickhouse/up/${kill}` }).ended, kill).toBe('SIGKILL');
    }
    await migrateUp({ urls, dir, log });
    expect(await there()).toEqual(['one', 'three', 'two']);
    await store.command('insert into one (id) values (1)');
    expect(await store.query('select id, note from one', {})).toEqual([{ id: '1', note: 'x;y' }]);
    const down = { store: 'clickhouse', steps: 1 } as const;
    for (const kill of ['2/begin/0', '2/statement/1', '2/recorded/1', '2/statement/2', '2/statement/3']) {
      expect(await migrator({ urls, dir, down, kill: `clickhouse/down/${kill}` }).ended, kill).toBe('SIGKILL');
    }
    expect((await migrateDown({ urls, dir, log, ...down })).map(({ version }) => version)).toEqual([2]);
    expect(await there()).toEqual(['one']);
    expect(await states({ urls, dir, log })).toContain('clickhouse 2 pending');
  }, 60_000);

  it('two nodes that migrate at once take each step once', async () => {
    const urls = { postgres_url: await newPostgres() };
    const taken = await Promise.all([1, 2, 3].map(() => migrateUp({ urls, dir, log })));
    expect(taken.flatMap(({ postgres }) => postgres.map(({ version }) => version)).toSorted()).toEqual([1, 2]);
  });

  it('gives way to live queries while it waits for a lock, and gets through once the lock is gone', async () => {
    const urls = { postgres_url: await newPostgres() };
    await migrateUp({ urls, dir: migrationsFolder('only-one', only(postgresSteps, '0001'), {}), log });
    await withOwner(urls.postgres_url, async (reader) => {
      await reader.query('begin; select * from one');
      const up = migrateUp({ urls, dir, log, lock_timeout_ms: 50 });
      await eventually('the migrator waits', () => waiting(urls.postgres_url));
      // Without lock_timeout this read would queue behind the waiting ALTER until the reader ends, which is after it.
      await withOwner(urls.postgres_url, (live) =>
        live.query("set statement_timeout = '3s'; select count(*) from one"),
      );
      await reader.query('commit');
      expect((await up).postgres.map(({ version }) => version)).toEqual([2]);
    });
  });

  it('refuses a step that was edited after it was applied, and changes nothing', async () => {
    const urls = { postgres_url: await newPostgres() };
    await migrateUp({ urls, dir, log });
    const edited = migrationsFolder(
      'edited',
      { ...postgresSteps, '0002_two.up.sql': `${postgresSteps['0002_two.up.sql']}\n` },
      {},
    );
    const again = migrateUp({ urls, dir: edited, log });
    await expect(again).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('0002_two') });
    expect(await states({ urls, dir: edited, log })).toContain('postgres 2 changed');
  });

  it('the real ones go up, all the way down and up again', async () => {
    const urls = { postgres_url: await newPostgres() };
    const versions = readMigrations('postgres').map(({ version }) => version);
    expect((await migrateUp({ urls, log })).postgres.map(({ version }) => version)).toEqual(versions);
    expect((await migrateDown({ urls, log, steps: 99 })).map(({ version }) => version)).toEqual(versions.toReversed());
    expect((await migrateUp({ urls, log })).postgres).toHaveLength(versions.length);
  });

  it.each([
    ['no header', { '0001_a.up.sql': 'select 1', '0001_a.down.sql': '' }],
    ['no way back', { '0001_a.up.sql': '-- breaking: x' }],
    ['no way forth', { '0001_a.down.sql': '' }],
    [
      'a number twice',
      {
        '0001_a.up.sql': '-- breaking: x',
        '0001_a.down.sql': '',
        '0001_b.up.sql': '-- breaking: x',
        '0001_b.down.sql': '',
      },
    ],
    ['a stray file', { 'notes.txt': '' }],
  ])('refuses a folder with %s', (what, files) => {
    const bad = migrationsFolder(`bad ${what}`, files, {});
    expect(readdirSync(join(bad, 'postgres')).length).toBeGreaterThan(0);
    expect(() => readMigrations('postgres', bad)).toThrow(/migrations\/postgres/);
  });
});

describe('ClickHouse statements', () => {
  it('are parted outside of quotes and comments', () => {
    const script = "-- a; b\nselect ';', \"a;b\", `c;d` /* ; */;\n\nselect 'it''s; \\'x;';;";
    expect(splitStatements(script)).toEqual(['select \';\', "a;b", `c;d`', "select 'it''s; \\'x;'"]);
  });

  it('are taken only if they may run twice', () => {
    expect(
      ['create table if not exists t (a UInt8) engine = Null', 'alter table t add column if not exists b UInt8'].every(
        isRepeatable,
      ),
    ).toBe(true);
    expect(
      [
        'create table t (a UInt8)',
        'alter table t add column b UInt8',
        'insert into t values (1)',
        'rename table a to b',
      ].some(isRepeatable),
    ).toBe(false);
  });
});

function only(files: Files, prefix: string): Files {
  return Object.fromEntries(Object.entries(files).filter(([file]) => file.startsWith(prefix)));
}

function sleeping(url: string): Promise<boolean> {
  const text = "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
  return withOwner(url, async (client) => (await client.query(text)).rowCount === 1);
}

function waiting(url: string): Promise<boolean> {
  const text =
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike '%alter table%'";
  return withOwner(url, async (client) => (await client.query(text)).rowCount === 1);
}
