/**
 * Segment: the operator
 * Goal: what is due by the clock is done: once, whichever node dies, and whenever the database goes away
 * Value: no month without its credits and invoices because one process was killed in the middle of a job
 * Strategic impact: a node is nothing that anybody has to look after
 *
 * Planted bugs that turn it red, each by itself: a claim that does not look at the lease (once among nodes, longer than
 * its lease); a lease that is never over (the killed node); an end that does not ask for the token (stood still); a hurry
 * that asks for no failures (not hurried); an end written without a catch (the database goes away).
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { eventually, startChild, startServer, suite } from '@netra/testkit';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startJobs, type Jobs } from '../../../server/work/index.ts';
import { openOwnPostgres } from '../own-postgres.ts';
import { openRunNodes, type RunNodes } from '../run-node.ts';

const own = suite();
const lease_ms = 600;
/** Once a year: what a test makes due is all that is. */
const cron = '0 0 1 1 *';
let nodes: RunNodes;
const started: Jobs[] = [];
const names: string[] = [];
beforeAll(async () => {
  nodes = await openRunNodes(own, { NETRA_LEASE_MS: String(lease_ms) });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((jobs) => jobs.stop()));
  await nodes.owner('delete from netra.job where name = any($1)', [names.splice(0)]);
});

/** A schedule of this test's own, known to another node. */
async function startNode(name: string, run: () => Promise<unknown>): Promise<Jobs> {
  names.push(name);
  const jobs = await startJobs({ platform: await nodes.open(), schedules: [{ name, cron, run }] });
  started.push(jobs);
  return jobs;
}

interface Row {
  readonly failures: number;
  readonly last_error: string | null;
  readonly waits: boolean;
  readonly done: boolean;
}

async function rowOf(name: string): Promise<Row | undefined> {
  const text = `select failures, last_error, next_at > now() and lease_until <= now() as waits, done_at is not null as done
                from netra.job where name = $1`;
  return (await nodes.owner<Row>(text, [name]))[0];
}

describe('each schedule of a new installation', () => {
  // Planted bug that turns it red: a job's function without a right that it needs, which an hour's schedule hides.
  it('goes well at the first time', { timeout: 120_000 }, async () => {
    const postgres = await openOwnPostgres(own.stores.clickhouse_url);
    own.onEnd(() => postgres.close());
    const server = await startServer({ env: { ...own.env, NETRA_POSTGRES_URL: postgres.postgres_url } });
    own.onEnd(() => server.stop());
    const there = await openRunNodes({ ...own, stores: { ...own.stores, postgres_url: postgres.postgres_url } });
    const text = 'select name, last_error from netra.job where done_at is null';
    const undone = (): Promise<object[]> => there.owner(text);
    await eventually('all are done', async () => (await undone()).length === 0, { deadline_ms: 20_000 }).catch(
      async () => expect(await undone()).toEqual([]),
    );
    expect(await there.owner('select name from netra.job where failures > 0')).toEqual([]);
    expect(await there.owner('select name from netra.job')).not.toEqual([]);
  });
});

describe('R2: a schedule', () => {
  it('is done once a due time, whichever of many nodes look', async () => {
    const name = randomUUID();
    let runs = 0;
    const run = async (): Promise<void> => {
      runs += 1;
      await Promise.resolve();
    };
    for (let node = 0; node < 5; node += 1) await startNode(name, run);
    for (let due = 1; due <= 3; due += 1) {
      await eventually('it is done', async () => runs === due && (await rowOf(name))?.waits === true);
      // Each node has looked since: what one more of them had taken would be counted next time round.
      await nodes.owner('update netra.job set next_at = now() where name = $1', [name]);
    }
    await eventually('it is done for the last time', async () => runs === 4 && (await rowOf(name))?.waits === true);
    expect(await nodes.owner('select lease_token::int as claims from netra.job where name = $1', [name])).toEqual([
      { claims: 4 },
    ]);
  });

  it('that takes longer than its lease is not begun by another node', async () => {
    const name = randomUUID();
    const { promise, resolve } = Promise.withResolvers<void>();
    let begun = 0;
    const run = (): Promise<void> => {
      begun += 1;
      return promise;
    };
    for (let node = 0; node < 3; node += 1) await startNode(name, run);
    await eventually('it runs', () => begun === 1);
    const renewed = `select lease_until - $2::timestamptz > interval '3 s' as held from netra.job where name = $1`;
    const [{ at } = { at: '' }] = await nodes.owner<{ at: string }>('select now()::text as at');
    await eventually('its lease is renewed for five lengths', async () => {
      return (await nodes.owner<{ held: boolean }>(renewed, [name, at]))[0]?.held === true;
    });
    expect(begun).toBe(1);
    resolve();
    await eventually('it ends', async () => (await rowOf(name))?.done === true);
  });

  it('goes on with another node when the one that was at it is killed', async () => {
    const name = randomUUID();
    const { postgres_url, clickhouse_url } = own.stores;
    const child = await startChild({
      args: [
        fileURLToPath(new URL('../job-process.ts', import.meta.url)),
        JSON.stringify({ postgres_url, clickhouse_url, name }),
      ],
      env: { ...process.env, ...own.env, NETRA_LEASE_MS: String(lease_ms), NETRA_LOG_LEVEL: 'silent' },
      type: 'working',
      deadline_ms: 60_000,
    });
    let runs = 0;
    await startNode(name, async () => void (runs += 1));
    expect(runs).toBe(0);
    await child.stop('SIGKILL');
    await eventually('it is done', () => runs === 1);
  });

  it('that was taken over while its node stood still is ended by the one that has it', async () => {
    const name = randomUUID();
    const ends: (() => void)[] = [];
    const run = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    await startNode(name, run);
    await eventually('it runs', () => ends.length === 1);
    await nodes.owner(`update netra.job set lease_token = lease_token + 1, lease_until = now() where name = $1`, [
      name,
    ]);
    await eventually('it runs again', () => ends.length === 2);
    ends[0]?.();
    await eventually('the first has ended', async () => (await nodes.owner('select 1', [])).length === 1);
    expect(await rowOf(name)).toMatchObject({ done: false, waits: false });
    ends[1]?.();
    await eventually('it is done', async () => (await rowOf(name))?.done === true);
  });

  it('that fails is tried again after a pause, which nobody hurries, and says why', async () => {
    const name = randomUUID();
    let runs = 0;
    const jobs = await startNode(name, async () => {
      runs += 1;
      if (runs < 3) throw new Error(`no luck ${runs}`);
    });
    await eventually('it failed', async () => (await rowOf(name))?.failures === 1);
    expect(await rowOf(name)).toMatchObject({ last_error: 'no luck 1' });
    const make = (at: string): Promise<unknown> =>
      nodes.owner(`update netra.job set next_at = now() + interval '${at}' where name = $1`, [name]);
    await make('1 hour');
    await jobs.kick(name);
    expect(await rowOf(name)).toMatchObject({ waits: true, failures: 1 });
    await make('0 s');
    await eventually('it failed again', async () => (await rowOf(name))?.failures === 2);
    await make('0 s');
    await eventually('it went well', async () => (await rowOf(name))?.done === true, { deadline_ms: 30_000 });
    expect(await rowOf(name)).toMatchObject({ failures: 0, last_error: null });
    expect(runs).toBe(3);
  });

  it('is done at once when it is asked for', async () => {
    const name = randomUUID();
    let runs = 0;
    const jobs = await startNode(name, async () => void (runs += 1));
    await eventually('it is done as new', async () => runs === 1 && (await rowOf(name))?.waits === true);
    await jobs.kick(name);
    await eventually('it is done again', () => runs === 2);
    expect(runs).toBe(2);
  });

  it('survives a database that goes away in the middle of it', { timeout: 120_000 }, async () => {
    const postgres = await openOwnPostgres(own.stores.clickhouse_url);
    own.onEnd(() => postgres.close());
    const stores = { ...own.stores, postgres_url: postgres.postgres_url };
    const there = await openRunNodes({ ...own, stores }, { NETRA_LEASE_MS: String(lease_ms) });
    const platform = await there.open();
    const name = randomUUID();
    let runs = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const run = async (): Promise<void> => {
      runs += 1;
      if (runs > 1) return;
      await promise;
      throw new Error('it was gone');
    };
    const jobs = await startJobs({ platform, schedules: [{ name, cron, run }] });
    await eventually('it runs', () => runs === 1);
    await postgres.kill();
    resolve();
    await postgres.back();
    await eventually('it is done', () => runs === 2, { deadline_ms: 60_000 });
    await jobs.stop();
    expect(runs).toBe(2);
  });
});
