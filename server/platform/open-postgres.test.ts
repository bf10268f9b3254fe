import { randomUUID } from 'node:crypto';
import { NetraError } from '@netra/contract';
import { eventually, seededRandom, suite, withOwner } from '@netra/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  deriveAppUrl,
  observePool,
  openLog,
  openMetrics,
  openPostgres,
  PostgresError,
  type Postgres,
} from './index.ts';

// Planted bugs seen red: `isRetryable` that answers false (deadlocks surface); `maxAttempts` 1; parsing int8 as Number
// (exactness); the driver's error passed through (leak); `release()` without the error (a broken
// connection comes back); no listener on a connection (its death ends the process).
const log = openLog({ level: 'silent' });

describe('PostgreSQL', () => {
  const on = suite();
  let owner: Postgres;
  let app: Postgres;
  beforeAll(() => {
    owner = openPostgres(on.stores.postgres_url, { pool_size: 12, log, random: seededRandom(7) });
    app = openPostgres(deriveAppUrl(on.stores.postgres_url), { pool_size: 4, log });
  });
  afterAll(() => Promise.all([owner.close(), app.close()]));

  it('keeps 64-bit integers exact, alone and in arrays, both ways', async () => {
    const big = 9_223_372_036_854_775_807n;
    const text = 'select $1::int8 as one, array[$1::int8, null] as many, $2::int8[] as back, 1.10::numeric as exact';
    const rows = await owner.call({ text, values: [big, [-big, 1n]] });
    expect(rows).toEqual([{ one: big, many: [big, null], back: [-big, 1n], exact: '1.10' }]);
  });

  it('turns netra.refuse() into the NetraError of its code, with message and facts', async () => {
    const text = `select netra.refuse('plan_limit', 'Your plan ends here', '{"limit":"runs_month","used":"10"}')`;
    const refused = app.call({ text, values: [] });
    await expect(refused).rejects.toBeInstanceOf(NetraError);
    await expect(refused).rejects.toMatchObject({
      code: 'plan_limit',
      message: 'Your plan ends here',
      detail: { limit: 'runs_month', used: '10' },
    });
  });

  it('T1 shows the application only the organisation that the transaction entered, and none without one', async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const insert = (id: string) => ({
      text: 'insert into netra.org (org_id, name) values ($1, $2)',
      values: [id, 'x'],
    });
    await app.inOrg(one, (tx) => tx.rows(insert(one)));
    await app.inOrg(two, (tx) => tx.rows(insert(two)));
    const all = { text: 'select org_id from netra.org', values: [] };
    expect(await app.inOrg(one, (tx) => tx.rows(all))).toEqual([{ org_id: one }]);
    expect(await app.call(all)).toEqual([]);
    await expect(app.inOrg(one, (tx) => tx.rows(insert(two)))).rejects.toBeInstanceOf(PostgresError);
    await expect(app.inOrg(`${one}'; select 1`, (tx) => tx.rows(all))).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('retries deadlocks of opposing transfers until each is done once', async () => {
    await withOwner(on.stores.postgres_url, async (client) => {
      await client.query('create table wallet (id int primary key, balance int8 not null)');
      await client.query('insert into wallet values (1, 200), (2, 200)');
    });
    const pay = (from: number, to: number, amount: bigint) =>
      owner.inOrg(randomUUID(), async (tx) => {
        const text = 'update wallet set balance = balance + $2 where id = $1';
        await tx.rows({ name: 'pay', text, values: [from, -amount] });
        await tx.rows({ text: 'select pg_sleep(0.02)', values: [] });
        await tx.rows({ name: 'pay', text, values: [to, amount] });
      });
    const deadlocks = async (): Promise<bigint> => {
      const text = 'select deadlocks from pg_stat_database where datname = current_database()';
      const [row] = await owner.call<{ deadlocks: bigint }>({ text, values: [] });
      return row?.deadlocks ?? 0n;
    };
    await Promise.all([pay(1, 2, 50n), pay(2, 1, 30n), pay(1, 2, 25n), pay(2, 1, 40n)]);
    const balances = await owner.call({ text: 'select balance from wallet order by id', values: [] });
    expect(balances).toEqual([{ balance: 195n }, { balance: 205n }]);
    // Else the test would pass where nothing ever met.
    await eventually('a deadlock was counted', async () => (await deadlocks()) > 0n);
  });

  it('answers `unavailable` when its connection is killed, and works on with the next one', async () => {
    const killed = owner.inOrg(randomUUID(), async (tx) => {
      const [me] = await tx.rows<{ pid: number }>({ text: 'select pg_backend_pid() as pid', values: [] });
      await owner.call({ text: 'select pg_terminate_backend($1)', values: [me?.pid] });
      // Between two statements, where nobody waits for an answer: the error has only the connection to be told to.
      const alive = { text: 'select 1 from pg_stat_activity where pid = $1', values: [me?.pid] };
      await eventually('it is gone', async () => (await owner.call(alive)).length === 0);
      await tx.rows({ text: 'select 1', values: [] });
    });
    await expect(killed).rejects.toMatchObject({ code: 'unavailable' });
    expect(await owner.call({ text: 'select 1 as one', values: [] })).toEqual([{ one: 1 }]);
  });

  it('says nothing of host, user, password or rows in an error', async () => {
    const real = new URL(on.stores.postgres_url);
    const wrong = new URL(real);
    wrong.password = 'planted-password';
    wrong.username = 'planted-user';
    const nowhere = new URL(wrong);
    nowhere.hostname = 'planted-host.invalid';
    for (const url of [wrong, nowhere]) {
      const broken = openPostgres(url.toString(), { pool_size: 1, log });
      const failure: unknown = await broken.call({ text: 'select 1', values: [] }).catch((error: unknown) => error);
      await broken.close();
      expect(failure).toBeInstanceOf(Error);
      const told =
        failure instanceof Error ? `${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}` : '';
      expect(told).not.toContain('planted');
      expect(told).not.toContain(real.port);
    }
    await owner.call({ text: 'create table person (email text unique)', values: [] });
    const insert = { text: 'insert into person values ($1)', values: ['planted@example.com'] };
    await owner.call(insert);
    const twice: unknown = await owner.call(insert).catch((error: unknown) => error);
    expect(twice).toMatchObject({ sqlstate: '23505', constraint: 'person_email_key' });
    expect(JSON.stringify(twice) + String(twice)).not.toContain('planted');
  });

  it('exports what its pool does: size, in use, waiting, wait time, timeouts', async () => {
    const metrics = openMetrics();
    const small = openPostgres(on.stores.postgres_url, { pool_size: 1, log, acquire_timeout_ms: 200 });
    observePool(metrics, small.pool, 'small');
    const value = async (name: string): Promise<number> => {
      const line = (await metrics.metrics()).split('\n').find((text) => text.startsWith(`${name}{`));
      return Number(line?.split(' ').at(-1));
    };
    try {
      await small.inOrg(randomUUID(), async () => {
        const inVain = small.call({ text: 'select 1', values: [] });
        await eventually('one waits', async () => (await value('netra_pool_waiting')) === 1);
        expect([await value('netra_pool_in_use'), await value('netra_pool_max')]).toEqual([1, 1]);
        await expect(inVain).rejects.toMatchObject({ code: 'unavailable' });
      });
      expect(await small.call({ text: 'select 1 as one', values: [] })).toEqual([{ one: 1 }]);
      expect(await value('netra_pool_timeouts_total')).toBe(1);
      expect(await value('netra_pool_wait_seconds_count')).toBe(3);
      await eventually('it is free', async () => (await value('netra_pool_in_use')) === 0);
      expect(await value('netra_pool_size')).toBe(1);
    } finally {
      await small.close();
    }
  });
});
