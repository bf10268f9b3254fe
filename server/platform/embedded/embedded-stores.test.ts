import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { eventually } from '@netra/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openClickHouse, openLog, openPostgres, type ClickHouse, type Postgres } from '../index.ts';
import { openEmbeddedStores, type EmbeddedStores } from './index.ts';
import { isAlive } from './processes.ts';
import { readState, type StoreName, type StoresState } from './stores-state.ts';

// Planted bugs seen red: `find` that answers null (a kill starts the stores twice); leave() that stops while others use;
// a watch that never looks (a dead store stays dead); no lock (two starts at once); settings set on a shared session
// (they leak); no kill on abort (the place stays taken); `allowed` that answers true.
const log = openLog({ level: 'silent' });
const entry = new URL('./open-embedded-stores.ts', import.meta.url).href;
const logModule = new URL('../log.ts', import.meta.url).href;
const folders: string[] = [];
// mktemp's folders are 0700: started by root, PostgreSQL's own user must get through all the same.
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'netra-stores-'));
  folders.push(folder);
  return folder;
};
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

interface Said {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  readonly owned: boolean;
}

/** A process of its own that opens the stores, says where, and leaves when its stdin ends. */
async function user(data_dir: string) {
  const script = `
    import { openEmbeddedStores } from ${JSON.stringify(entry)};
    import { openLog } from ${JSON.stringify(logModule)};
    const stores = await openEmbeddedStores({ data_dir: process.argv[1], log: openLog({ level: 'silent' }), need: ['postgres', 'clickhouse'] });
    console.log(JSON.stringify(stores));
    process.stdin.resume().once('close', () => stores.stop());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, data_dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const { promise, resolve, reject } = Promise.withResolvers<Said>();
  // The line is the child's own three fields, printed above.
  createInterface({ input: child.stdout }).once('line', (text) => resolve(JSON.parse(text) as Said));
  child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
  const said = await promise;
  return {
    said,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    leave: async () => {
      child.stdin.end();
      return ended;
    },
  };
}

const pids = ({ stores }: StoresState): (number | undefined)[] => [stores.postgres?.pid, stores.clickhouse?.pid];

async function asking<T>(
  { postgres_url, clickhouse_url }: Said,
  work: (postgres: Postgres, clickhouse: ClickHouse) => Promise<T>,
): Promise<T> {
  const postgres = openPostgres(postgres_url, { pool_size: 2, log });
  const clickhouse = openClickHouse(clickhouse_url, { log });
  try {
    return await work(postgres, clickhouse);
  } finally {
    await Promise.all([postgres.close(), clickhouse.close()]);
  }
}

describe('the processes', () => {
  it('are started once by two that come at once, used by both, and stopped by the last to leave', async () => {
    const folder = newFolder();
    const [one, two] = await Promise.all([user(folder), user(folder)]);
    expect(one.said.postgres_url).toBe(two.said.postgres_url);
    expect(one.said.clickhouse_url).toBe(two.said.clickhouse_url);
    expect([one.said.owned, two.said.owned].toSorted()).toEqual([false, true]);
    const { stores } = readState(folder);
    // The owner leaves first: ownership passes on.
    const [first, last] = one.said.owned ? [one, two] : [two, one];
    expect(await first.leave()).toBe(0);
    expect(isAlive(stores.postgres) && isAlive(stores.clickhouse)).toBe(true);
    expect(await asking(last.said, (postgres) => postgres.call({ text: 'show fsync', values: [] }))).toEqual([
      { fsync: 'on' },
    ]);
    expect(await last.leave()).toBe(0);
    expect(isAlive(stores.postgres) || isAlive(stores.clickhouse)).toBe(false);
  }, 60_000);

  it('outlive a kill -9 of their owner and are taken over, with all they hold', async () => {
    const folder = newFolder();
    const one = await user(folder);
    await asking(one.said, async (postgres, clickhouse) => {
      await postgres.call({ text: 'create table kept (id int)', values: [] });
      await postgres.call({ text: 'insert into kept values (7)', values: [] });
      await clickhouse.command('create table kept (id UInt64) engine = MergeTree order by id');
      await clickhouse.insert({ table: 'kept', rows: [{ id: 7n }], token: 'one' });
    });
    const before = readState(folder);
    await one.kill();
    expect(isAlive(before.stores.postgres) && isAlive(before.stores.clickhouse)).toBe(true);
    const two = await user(folder);
    expect(two.said).toEqual({ ...one.said, owned: true });
    expect(pids(readState(folder))).toEqual(pids(before));
    await asking(two.said, async (postgres, clickhouse) => {
      expect(await postgres.call({ text: 'select id from kept', values: [] })).toEqual([{ id: 7 }]);
      expect(await clickhouse.query('select id from kept', {})).toEqual([{ id: '7' }]);
    });
    expect(await two.leave()).toBe(0);
    expect(isAlive(before.stores.postgres) || isAlive(before.stores.clickhouse)).toBe(false);
  }, 60_000);

  it('lie in files that only their owner reads, without a password where everyone may look', async () => {
    const folder = newFolder();
    const one = await user(folder);
    const { password } = new URL(one.said.postgres_url);
    for (const file of ['stores.json', 'stores.key.json', 'clickhouse.json'])
      expect(statSync(join(folder, file)).mode & 0o077, file).toBe(0);
    for (const pid of pids(readState(folder))) {
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(password);
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toMatch(/NETRA_|PASSWORD/);
    }
    await one.leave();
  }, 60_000);
});

describe('a running pair', () => {
  const folder = newFolder();
  let stores: EmbeddedStores;
  let postgres: Postgres;
  let clickhouse: ClickHouse;
  beforeAll(async () => {
    stores = await openEmbeddedStores({ data_dir: folder, log, need: ['postgres', 'clickhouse'] });
    postgres = openPostgres(stores.postgres_url, { pool_size: 2, log });
    clickhouse = openClickHouse(stores.clickhouse_url, { log });
  }, 60_000);
  afterAll(async () => {
    await Promise.all([postgres.close(), clickhouse.close()]);
    await stores.stop();
  }, 60_000);

  type Sent = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };
  const http = (path: string, sent: Sent = {}, key = new URL(stores.clickhouse_url).password) => {
    const authorization = `Basic ${Buffer.from(`netra:${key}`).toString('base64')}`;
    const headers = { authorization, ...sent.headers };
    return fetch(`${new URL(stores.clickhouse_url).origin}${path}`, { ...sent, headers });
  };

  it('start again on their ports after a kill -9, with what was committed', async () => {
    await postgres.call({ text: 'create table durable (id int)', values: [] });
    await postgres.call({ text: 'insert into durable values (1)', values: [] });
    await clickhouse.command('create table durable (id UInt64) engine = MergeTree order by id');
    await clickhouse.insert({ table: 'durable', rows: [{ id: 1 }], token: 'one' });
    const before = readState(folder);
    for (const pid of pids(before)) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    const options = { deadline_ms: 30_000, every_ms: 50 };
    const isNew = (name: StoreName): boolean => readState(folder).stores[name]?.pid !== before.stores[name]?.pid;
    await eventually('both are started again', () => isNew('postgres') && isNew('clickhouse'), options);
    const ports = ({ stores: { postgres: one, clickhouse: two } }: StoresState) => [one?.port, two?.port];
    expect(ports(readState(folder))).toEqual(ports(before));
    // The pools' dead connections are found out by use.
    const rows = await eventually('PostgreSQL answers', () =>
      postgres.call({ text: 'select id from durable', values: [] }),
    );
    expect(rows).toEqual([{ id: 1 }]);
    expect(await clickhouse.query('select id from durable', {})).toEqual([{ id: '1' }]);
  }, 60_000);

  it('answer only who has the key', async () => {
    for (const key of ['', 'wrong', `${new URL(stores.clickhouse_url).password}x`]) {
      const refused = await http('/?query=select%201', {}, key);
      expect([refused.status, refused.headers.get('x-clickhouse-exception-code')]).toEqual([401, '516']);
    }
    expect(await (await http('/ping', {}, '')).text()).toBe('Ok.\n');
    const wrong = new URL(stores.postgres_url);
    wrong.password = 'wrong';
    const stranger = openPostgres(wrong.toString(), { pool_size: 1, log });
    await expect(stranger.call({ text: 'select 1', values: [] })).rejects.toMatchObject({ sqlstate: '28P01' });
    await stranger.close();
  });

  it('bind parameters of every character, and keep 64 bits and decimals exact', async () => {
    const text = `it's "\\" \t\n\r \u0000? {x:String} ; drop table t -- é 🦉`.replace('\u0000', '');
    const rows = await clickhouse.query(
      'select {t:String} as t, {n:UInt64} as n, {d:Decimal(38, 12)} as d, {l:Array(String)} as l',
      {
        t: text,
        n: 18_446_744_073_709_551_615n,
        d: '12345678901234567890.000000000001',
        l: ["a'b", 'c\\d'],
      },
    );
    expect(rows).toEqual([
      { t: text, n: '18446744073709551615', d: '12345678901234567890.000000000001', l: ["a'b", 'c\\d'] },
    ]);
  });

  it('leak no setting, parameter or database from one query into the next', async () => {
    await http('/?query=select%201&max_result_rows=7&param_leak=5&database=system');
    const text = encodeURIComponent("select getSetting('max_result_rows'), currentDatabase()");
    const answers = await Promise.all(Array.from({ length: 8 }, async () => (await http(`/?query=${text}`)).text()));
    expect(new Set(answers)).toEqual(new Set(['0\tdefault\n']));
    expect((await http('/?query=select%20%7Bleak:UInt8%7D')).status).toBe(400);
  });

  it('take a token once, however the rows arrive, and spool no body for longer than it takes', async () => {
    await clickhouse.command(
      "create table many (id UInt64, note String default 'd') engine = MergeTree order by id settings non_replicated_deduplication_window = 100",
    );
    const body = Array.from({ length: 50_000 }, (_, id) => JSON.stringify({ id })).join('\n');
    const path = `/?database=netra&insert_deduplication_token=t&query=${encodeURIComponent('INSERT INTO many (id) FORMAT JSONEachRow')}`;
    expect((await http(path, { method: 'POST', body })).status).toBe(200);
    const zipped = { method: 'POST', body: gzipSync(body), headers: { 'content-encoding': 'gzip' } };
    expect((await http(path, zipped)).status).toBe(200);
    expect((await http(path.replace('token=t', 'token=u'), zipped)).status).toBe(200);
    expect(await clickhouse.query("select count() as n, countIf(note = 'd') as d from many", {})).toEqual([
      { n: '100000', d: '100000' },
    ]);
    expect(readdirSync(join(folder, 'clickhouse.spool'))).toEqual([]);
  });

  it('say what is wrong by ClickHouse’s own numbers', async () => {
    await expect(clickhouse.query('select * from none', {})).rejects.toMatchObject({
      number: 60,
      type: 'UNKNOWN_TABLE',
    });
    await expect(clickhouse.query('selec 1', {})).rejects.toMatchObject({ number: 62 });
    await clickhouse.command('create table strict (id UInt64) engine = MergeTree order by id');
    const bad = clickhouse.insert({ table: 'strict', rows: [{ id: 1 }, { id: 'x' }], token: 'bad' });
    await expect(bad).rejects.toMatchObject({ number: 27 });
    expect(await clickhouse.query('select count() as n from strict', {})).toEqual([{ n: '0' }]);
  });

  it('stop a query whose caller has gone, so that it holds no place', async () => {
    const mark = randomUUID();
    const query = encodeURIComponent(
      `select count() from numbers(1000000000000) where sipHash64(number) = 1 /* ${mark} */`,
    );
    const gone = Array.from({ length: 4 }, () => new AbortController());
    const asked = gone.map(({ signal }) => http(`/?query=${query}`, { signal }));
    // All four places are taken: even this waits until the callers go.
    const after = clickhouse.query('select 1 as one', {});
    const begun = eventually('they run', () => isBusy(readState(folder).stores.clickhouse?.pid ?? 0));
    await begun;
    for (const controller of gone) controller.abort();
    await Promise.allSettled(asked);
    expect(await after).toEqual([{ one: 1 }]);
    const left = {
      text: 'select count() as n from system.processes where query like {mark:String} and query_id != queryID()',
    };
    await eventually('none is left', async () => {
      const [row] = await clickhouse.query<{ n: string }>(left.text, { mark: `%${mark}%` });
      return row?.n === '0';
    });
  });
});

/** Whether the process took a tenth of a second of processor time since it was last asked. */
const ticks = new Map<number, number>();
function isBusy(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const used = Number(fields[11]) + Number(fields[12]);
  const first = ticks.get(pid) ?? used;
  ticks.set(pid, first);
  return used - first >= 10;
}
