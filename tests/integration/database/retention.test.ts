/**
 * Segment: operators who keep conversations no longer than they must, and users who take theirs along
 * Goal: events go when their plan says so, in small pieces, and nobody is shown a rest as if it were the whole
 * Value: the log does not grow for ever; receipts, messages and the ledger stay
 * Strategic impact: retention is a term of a plan, and export a right
 *
 * Ageing is done in the database: a run's end is set back by days. That is what is set up here, not what is proved.
 * Planted bugs that turn this red: cut without a new epoch; subscribe from 0 into a cut log without `reset`; page messages
 * with the order left out.
 */
import { createClient, type Client } from '@netra/client';
import {
  connectSocket,
  createAccount,
  runServerCommand,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { holdJob } from '../hold-job.ts';

const own = suite();
let server: TestServer;

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  // Due every five minutes: it may cut in the middle of a test, before the test does. And what has left for ClickHouse
  // by its day no longer agrees with what a test has aged since.
  for (const job of ['cut_events', 'pump_outbox']) await holdJob(sql, job);
}, 120_000);

const sql = async <Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> =>
  withOwner(own.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);

/** A run with about `6 × steps` events; its id and how many there are. */
async function finishedRun(
  client: Client,
  steps = 3,
  thread?: string,
): Promise<{ run: string; thread: string; last: number }> {
  const input = { steps, deltas: 1, delta_bytes: 8, step_ms: 0, tool: 'hash' };
  const handle = await client.run({ agent: 'rehearsal', input, ...(thread === undefined ? {} : { thread }) });
  const { seq } = await handle.finished(() => undefined);
  return { run: handle.run, thread: handle.thread ?? '', last: seq };
}

const age = (org: string, days: number): Promise<unknown> =>
  sql(
    `update netra.run set ended_at = ended_at - make_interval(days => $2) where org_id = $1 and ended_at is not null`,
    [org, days],
  );

/** What the schedule does, in one batch of so many events. */
async function cut(room: number): Promise<number> {
  await sql(`update netra.event_retention set looked_at = '-infinity'`);
  const [row] = await sql<{ events: number }>('select events from netra.cut_events(1000, $1)', [room]);
  return row?.events ?? 0;
}

const seqs = async (run: string): Promise<readonly number[]> =>
  (await sql<{ seq: number }>('select seq from netra.event where run_id = $1 order by seq', [run])).map(
    ({ seq }) => seq,
  );

async function account(plan: 'free' | 'enterprise'): Promise<TestAccount & { client: Client }> {
  const made = await createAccount({ env: own.env, plan });
  const client = createClient({ url: server.url, token: made.token });
  own.onEnd(() => client.close());
  return { ...made, client };
}

/** All frames of a fresh subscription, up to its end. */
async function framesOf(token: string, run: string, after: number, epoch?: number): Promise<readonly object[]> {
  const socket = await connectSocket({ ws: server.ws, token });
  socket.send({ type: 'subscribe', id: 1, run, after, ...(epoch === undefined ? {} : { epoch }) });
  await socket.waitFor('the end', ({ type }) => type === 'end');
  const frames = socket.frames.filter(({ type }) => type !== 'ready' && type !== 'live');
  await socket.close();
  return frames;
}

test('events go when the plan says so: the terminal one, the receipt, the messages and the ledger stay, and doctor agrees', async () => {
  const { org, client, token } = await account('free');
  const young = await account('free');
  const kept = await account('enterprise');
  const { run, thread, last } = await finishedRun(client);
  const others = [await finishedRun(young.client), await finishedRun(kept.client)];
  const before = { run: await client.readRun(run), credits: await client.credits(), moves: await client.transfers() };
  await age(org, 31);
  await age(young.org, 29);
  await age(kept.org, 10_000);
  expect(await cut(100_000)).toBe(last - 1);
  expect(await seqs(run)).toEqual([last]);
  for (const other of others) expect((await seqs(other.run)).length).toBe(other.last);
  const after = await client.readRun(run);
  expect(after.credits).toEqual(before.run.credits);
  expect(after.epoch).toBe(before.run.epoch + 1);
  expect(await client.credits()).toEqual(before.credits);
  expect(await client.transfers()).toEqual(before.moves);
  const headers = { authorization: `Bearer ${token}` };
  const page = await fetch(`${server.url}/v1/threads/${thread}/messages`, { headers });
  expect(((await page.json()) as { items: unknown[] }).items.length).toBe(2);
  const { code, stdout } = await runServerCommand(['doctor'], own.env);
  expect(code, stdout).toBe(0);
  expect(await cut(100_000), 'once is enough').toBe(0);
});

test('a cursor into the cut part gets `reset`, whatever it was; what comes after is the rest, and says where it begins', async () => {
  const { org, client, token } = await account('free');
  const { run, last } = await finishedRun(client);
  const [{ epoch }] = (await framesOf(token, run, 0)) as [{ epoch: number }];
  await age(org, 31);
  await cut(4);
  // In the middle of it: four of the events are gone, the rest is there.
  expect(await seqs(run)).toEqual(Array.from({ length: last - 4 }, (_, index) => index + 5));
  // Another node: this one may still have the whole run in memory, which is no partial replay either.
  await server.stop();
  server = await startServer({ env: own.env, port: Number(new URL(server.url).port) });
  own.onEnd(() => server.stop());
  for (const [after, known] of [[0], [0, epoch], [2, epoch], [3]] as const) {
    const [, reset, ...events] = await framesOf(token, run, after, known);
    expect(reset).toMatchObject({ type: 'reset', run, epoch: epoch + 1, first: 5 });
    expect(events.slice(0, -1)).toMatchObject((await seqs(run)).map((seq) => ({ run, epoch: epoch + 1, seq })));
  }
  // A cursor behind the cut, of the new epoch, goes on without one.
  const rest = await framesOf(token, run, 4, epoch + 1);
  expect(rest).toMatchObject([{ type: 'subscribed' }, ...(await seqs(run)).map((seq) => ({ seq })), { type: 'end' }]);
  const stream = await fetch(`${server.url}/v1/runs/${run}/events?after=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(await stream.text()).toMatch(/^event: reset\ndata: .*"first":5/m);
  await expect(client.follow(run).finished(() => undefined)).rejects.toMatchObject({
    code: 'conflict',
    detail: { first: 5 },
  });
}, 60_000);

test('a cut takes bounded batches, oldest first, and a run that has not ended holds up what is younger', async () => {
  const { org, client } = await account('free');
  const runs = [await finishedRun(client, 4), await finishedRun(client, 4), await finishedRun(client, 4)];
  await age(org, 31);
  const [, second, third] = runs as [(typeof runs)[0], (typeof runs)[0], (typeof runs)[0]];
  const all = runs.reduce((sum, { last }) => sum + last - 1, 0);
  let cuts = 0;
  for (let room = 5, went = room; went > 0;) {
    went = await cut(room);
    expect(went).toBeLessThanOrEqual(room);
    cuts += went;
    const left = await Promise.all(runs.map(async ({ run }) => (await seqs(run)).length));
    // Never one of a younger run while an older one has some.
    if (left[1] !== second.last) expect(left[0]).toBe(1);
    if (left[2] !== third.last) expect(left[1]).toBe(1);
    room = 5;
  }
  // What other tests left is cut along.
  expect(cuts).toBeGreaterThanOrEqual(all);
  for (const { run, last } of runs) expect(await seqs(run)).toEqual([last]);
});

test('an operator sets how long a plan keeps events, from a moment on; what has begun is not changed', async () => {
  const admin = async (...args: string[]) => {
    const ended = await runServerCommand(['admin', 'retention', ...args, '--json'], own.env);
    return { ...ended, said: ended.code === 0 ? (JSON.parse(ended.stdout) as Record<string, unknown>) : {} };
  };
  expect((await admin('set', '--plan', 'enterprise', '--days', '400', '--by', 'ada')).code).toBe(0);
  const { org, client } = await account('enterprise');
  const { run, last } = await finishedRun(client);
  await age(org, 399);
  await cut(1_000);
  expect((await seqs(run)).length).toBe(last);
  await age(org, 2);
  await cut(1_000);
  expect(await seqs(run)).toEqual([last]);
  expect((await admin('set', '--plan', 'enterprise', '--days', 'forever')).code).toBe(0);
  const { retentions } = (await admin('list')).said as { retentions: { plan_id: string; event_days: number | null }[] };
  expect(retentions.filter(({ plan_id }) => plan_id === 'enterprise').map(({ event_days }) => event_days)).toEqual([
    400,
    null,
  ]);
  for (const wrong of [
    ['--days', '0'],
    ['--days', 'soon'],
    ['--days', '9', '--from', '2026-01-01T00:00:00Z'],
  ]) {
    expect((await admin('set', '--plan', 'free', ...wrong)).code).not.toBe(0);
  }
  expect((await admin('set', '--plan', 'nobody', '--days', '9')).code).not.toBe(0);
}, 60_000);

test('messages and runs are paged from either end, each once', async () => {
  const { client, token } = await account('enterprise');
  const first = await finishedRun(client, 1);
  const runs = [first.run];
  for (let more = 0; more < 4; more += 1) runs.push((await finishedRun(client, 1, first.thread)).run);
  const headers = { authorization: `Bearer ${token}` };
  const walk = async (path: string): Promise<readonly Record<string, string>[]> => {
    const items: Record<string, string>[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const answer = await fetch(`${server.url}${path}&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`, {
        headers,
      });
      const page = (await answer.json()) as { items: Record<string, string>[]; next: string | null };
      items.push(...page.items);
      cursor = page.next;
    }
    return items;
  };
  const messages = await walk(`/v1/threads/${first.thread}/messages?order=asc`);
  expect(messages.map(({ author }) => author)).toEqual(runs.flatMap(() => ['user', 'agent']));
  expect(messages.map(({ run }) => run)).toEqual(runs.flatMap((run) => [run, run]));
  expect(await walk(`/v1/threads/${first.thread}/messages?order=desc`)).toEqual(messages.toReversed());
  const listed = await walk(`/v1/runs?thread=${first.thread}&order=asc`);
  expect(listed.map(({ run }) => run)).toEqual(runs);
  expect(await walk(`/v1/runs?thread=${first.thread}&order=desc`)).toEqual(listed.toReversed());
}, 60_000);

test('a thread is exported exactly, line by line, to its own organisation alone', async () => {
  const { client, token } = await account('enterprise');
  const stranger = await account('enterprise');
  const first = await finishedRun(client, 60);
  const second = await finishedRun(client, 2, first.thread);
  const path = `${server.url}/v1/threads/${first.thread}/export`;
  const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = (await answer.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const events = first.last + second.last;
  expect(lines[0]).toMatchObject({ type: 'thread', thread: first.thread });
  expect(lines.at(-1)).toEqual({ type: 'end', messages: 4, runs: 2, events });
  expect(lines.length).toBe(1 + 4 + 2 + events + 1);
  for (const { run, last } of [first, second]) {
    const stored = await sql<{ seq: number; type: string; data: unknown }>(
      'select seq, type, data from netra.event where run_id = $1 order by seq',
      [run],
    );
    const exported = lines.filter((line) => line['type'] === 'event' && line['run'] === run);
    expect(exported.length).toBe(last);
    expect(exported.map(({ seq, event, data }) => ({ seq, type: event, data }))).toEqual(stored);
    expect(lines.find((line) => line['type'] === 'run' && line['run'] === run)).toMatchObject({ first_event: 1 });
  }
  for (const [who, status] of [
    [stranger.token, 404],
    ['nonsense', 401],
  ] as const) {
    for (const what of [path, path.replace('export', 'messages')]) {
      expect((await fetch(what, { headers: { authorization: `Bearer ${who}` } })).status).toBe(status);
    }
  }
}, 60_000);
