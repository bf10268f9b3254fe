/**
 * Segment: operators of an installation
 * Goal: a slow, silent, asleep or half-open client costs a bounded amount of memory and ends by itself
 * Value: one bad client never takes a node down with it
 * Strategic impact: tens of thousands of sockets on one small machine
 *
 * The server runs in this process, on real stores, with shorter times than the defaults: that is what is configured
 * here, not what is proved.
 * Planted bugs that turn this red: pull from the tail without looking at bufferedAmount; keep the page that a stalled
 * reader is at; never settle `whenWritable`;
 * forget a closed socket in the hub; do not warn before a token ends.
 */
import { closeCodes, type ServerFrame } from '@netra/contract';
import { eventually, openSocket, suite } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { admitRun, executeRun } from '../../../server/agents/index.ts';
import { compose, type House } from '../../../server/main/compose.ts';
import { loadConfig, openLog, type Ctx } from '../../../server/platform/index.ts';
import { createWorker } from '../../../server/work/index.ts';
import type { Limits } from '../../../server/ws/index.ts';
import { openSurface, type Surface } from './own-surface.ts';

const own = suite();
let house: House;
let alice: Account;
let bob: Account;

beforeAll(async () => {
  const config = loadConfig({ env: { ...own.env, NETRA_SECRET: randomUUID() } });
  house = await compose({ config, urls: own.stores, log: openLog({ level: 'error' }) });
  const { platform } = house;
  const worker = createWorker({
    platform,
    capacity: 32,
    execute: (claim, signal) => executeRun({ platform, claim, signal }),
  });
  worker.start();
  own.onEnd(() => house.close());
  own.onEnd(() => worker.drain(2000));
  [alice, bob] = await Promise.all([account('alice'), account('bob')]);
}, 120_000);

interface Account {
  readonly token: string;
}

function account(name: string): Promise<Account> {
  const input = { email: `${name}@example.com`, org: name, plan: 'enterprise' };
  return house.accounts.createUserByOperator({ trace_id: '0'.repeat(32), input });
}

/** A surface with its own limits, on a server of its own; and what its metrics say. */
const surfaceWith = (limits: Partial<Limits>): Promise<Surface> => openSurface(own, house, limits);

interface Reader {
  readonly socket: WebSocket;
  readonly seqs: number[];
  readonly ended: Promise<void>;
  readonly closed: Promise<number>;
}

/** A client that can stop reading: `socket.pause()` leaves bytes in the kernel, as a busy or frozen client does. */
async function reader(ws: string, account: Account): Promise<Reader> {
  const headers = { authorization: `Bearer ${account.token}` };
  const socket = new WebSocket(ws, 'netra.v1', { headers });
  const seqs: number[] = [];
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as ServerFrame;
    if (frame.type === 'ready') ready.resolve();
    if (frame.type === 'end') ended.resolve();
    if ('seq' in frame && 'data' in frame) seqs.push(frame.seq);
  });
  await Promise.race([ready.promise, closed.then((code) => Promise.reject(new Error(`closed with ${code}`)))]);
  return { socket, seqs, ended: ended.promise, closed };
}

function follow({ socket }: Reader, run: string, after = 0): void {
  socket.send(JSON.stringify({ type: 'subscribe', id: 'follow', run, after }));
}

async function ctxOf({ token }: Account): Promise<Ctx> {
  const { platform, accounts } = house;
  return { platform, principal: await accounts.authenticate(platform, token), trace_id: '0'.repeat(32) };
}

/** A run whose log is about 24 MiB: more than every buffer between the server and a client that does not read. */
async function longRun(account: Account): Promise<string> {
  const ctx = await ctxOf(account);
  const input = { steps: 300, deltas: 10, delta_bytes: 8192, step_ms: 0, tool: 'none' };
  const idempotency_key = randomUUID();
  return (await admitRun({ ctx, input: { agent: 'rehearsal', input, idempotency_key } })).run;
}

test('a reader that stops keeps only its cursor: memory stays bounded, 4008 ends it, and its cursor goes on', async () => {
  const { ws, metric } = await surfaceWith({ stalled_ms: 6000 });
  const run = await longRun(alice);
  const quick = await reader(ws, alice);
  follow(quick, run);
  await quick.ended;
  const before_bytes = memory();
  const slow = await Promise.all(Array.from({ length: 8 }, () => reader(ws, alice)));
  for (const one of slow) {
    follow(one, run);
    one.socket.pause();
  }
  await untilQuiet(metric);
  // 8 readers of a 24 MiB log: 192 MiB if everything were pushed, 16 MiB if each kept the page it is at. The bound is
  // 256 KiB and one event each, and what this process holds as the clients.
  const bound_bytes = 8 * 1024 * 1024;
  await eventually('only cursors are held', () => memory() - before_bytes < bound_bytes, { deadline_ms: 2500 });
  expect(await metric('netra_socket_closed_slow_total')).toBe(0);
  await eventually(
    'all slow readers are closed',
    async () => (await metric('netra_socket_closed_slow_total')) === slow.length,
    { deadline_ms: 20_000 },
  );
  expect(await metric('netra_socket_connections')).toBe(1);
  for (const { socket } of slow) socket.resume();
  expect(new Set(await Promise.all(slow.map(({ closed }) => closed)))).toEqual(new Set([1006]));
  const [first] = slow;
  if (!first) throw new Error('a slow reader');
  const back = await reader(ws, alice);
  follow(back, run, first.seqs.length);
  await back.ended;
  expect([...first.seqs, ...back.seqs]).toEqual(quick.seqs);
  back.socket.close();
  quick.socket.close();
}, 90_000);

/** Nobody is sent anything more. */
async function untilQuiet(metric: (name: string) => Promise<number>): Promise<void> {
  let sent = -1;
  const stopped = async (): Promise<boolean> => {
    const before = sent;
    sent = await metric('netra_socket_frames_out_total');
    return sent === before;
  };
  await eventually('the server has stopped sending', stopped, { every_ms: 400 });
}

// What is held, not what is not collected yet.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function memory(): number {
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

test('a reader that pauses and comes back in time gets every event, once, in order', async () => {
  const { ws, metric } = await surfaceWith({ stalled_ms: 20_000 });
  const run = await longRun(bob);
  const one = await reader(ws, bob);
  follow(one, run);
  for (let pause = 0; pause < 3; pause += 1) {
    one.socket.pause();
    // It is really held up, not just slow: nothing more is sent while it does not read.
    await untilQuiet(metric);
    one.socket.resume();
  }
  await one.ended;
  expect(one.seqs).toEqual(one.seqs.map((_, index) => index + 1));
  one.socket.close();
}, 90_000);

test('a socket that answers no ping is ended; one that answers stays, however quiet it is', async () => {
  const { ws, metric } = await surfaceWith({ silence_ms: 300 });
  const [deaf, quiet] = await Promise.all([reader(ws, alice), reader(ws, alice)]);
  let pings = 0;
  quiet.socket.on('ping', () => (pings += 1));
  deaf.socket.pause();
  await eventually('the deaf one is gone', async () => (await metric('netra_socket_connections')) === 1);
  await eventually('the quiet one was pinged on', () => pings >= 4);
  expect(quiet.socket.readyState).toBe(WebSocket.OPEN);
  quiet.socket.close();
  deaf.socket.terminate();
});

test('strangers are capped, by node and by address, and the place is free again when one signs in or goes', async () => {
  const { ws, metric } = await surfaceWith({ unauthenticated: 3, hello_ms: 60_000 });
  const strangers = await Promise.all([1, 2, 3].map(() => openSocket({ ws })));
  await expect(openSocket({ ws })).rejects.toThrow('503');
  // Who brings a token at the upgrade is no stranger.
  const known = await openSocket({ ws, headers: { authorization: `Bearer ${bob.token}` } });
  strangers[0]?.send({ type: 'hello', token: alice.token });
  await strangers[0]?.waitFor('ready', (frame) => frame.type === 'ready');
  const fourth = await openSocket({ ws });
  await strangers[1]?.close();
  await eventually('a place is free', async () => (await metric('netra_socket_unauthenticated')) === 2);
  const fifth = await openSocket({ ws });
  await Promise.all([known, fourth, fifth, ...strangers].map((socket) => socket.close()));
  await eventually('nothing is kept', async () => (await metric('netra_socket_connections')) === 0);
  expect(await metric('netra_socket_unauthenticated')).toBe(0);
});

test('a credential that ends is warned about, renewed by `token`, and ends the socket with 4001 if it is not', async () => {
  // An API key has no end; the socket asks for it again every `credential_ms`, which here is short.
  const { ws } = await surfaceWith({ credential_ms: 1500, expiry_warning_ms: 1000 });
  const { secret } = await house.accounts.createApiKey({
    ctx: await ctxOf(alice),
    input: { name: 'socket', role: 'member', idempotency_key: randomUUID() },
  });
  const socket = await openSocket({ ws, headers: { authorization: `Bearer ${secret}` } });
  const isWarning = (frame: ServerFrame): boolean => frame.type === 'error' && frame.code === 'token_expired';
  const warnings = (): number => socket.frames.filter(isWarning).length;
  expect(await socket.waitFor('the warning', isWarning)).not.toHaveProperty('id');
  for (let renewed = 1; renewed <= 2; renewed += 1) {
    socket.send({ type: 'token', token: secret });
    await socket.waitFor(
      'ready again',
      () => socket.frames.filter(({ type }) => type === 'ready').length === renewed + 1,
    );
    await eventually('the next warning', () => warnings() === renewed + 1);
  }
  expect((await socket.closed).code).toBe(closeCodes.token_expired);
});

test('follows as many runs as it may, and no more; a second subscribe of a run replaces the first', async () => {
  const { ws, metric } = await surfaceWith({ subscriptions: 2 });
  const runs = await Promise.all([longRun(alice), longRun(alice), longRun(alice)]);
  const socket = await openSocket({ ws, headers: { authorization: `Bearer ${alice.token}` } });
  await socket.waitFor('ready', (frame) => frame.type === 'ready');
  const [first, second, third] = runs;
  if (!first || !second || !third) throw new Error('three runs');
  for (const [id, run] of [first, second, third].entries()) socket.send({ type: 'subscribe', id, run, after: 100_000 });
  expect(await socket.waitFor('refusal', (frame) => 'id' in frame && frame.id === 2)).toMatchObject({
    code: 'rate_limited',
    limit: { limit: 'subscriptions', max: 2 },
  });
  socket.send({ type: 'subscribe', id: 'again', run: first, after: 0 });
  await socket.waitFor('subscribed again', (frame) => 'id' in frame && frame.id === 'again');
  await eventually('two are followed', async () => (await metric('netra_socket_subscriptions')) <= 2);
  await socket.close();
  await eventually('nothing is followed', async () => (await metric('netra_socket_subscriptions')) === 0);
}, 90_000);
