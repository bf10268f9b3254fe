/**
 * Segment: operators of an installation
 * Goal: clients that stop reading a run while it goes on cost the server next to nothing, and the others nothing
 * Value: a phone in a tunnel neither fills the node's memory nor holds up the colleague who watches the same run
 * Strategic impact: tens of thousands of sockets on one small machine
 *
 * A server process of its own, measured by the kernel. socket-bounds.test.ts has the readers of a run that is over.
 * Planted bug that turns it red: buffered_bytes and buffered_max_bytes that nobody reaches.
 */
import type { ServerFrame } from '@netra/contract';
import {
  createAccount,
  eventually,
  peakMemory_bytes,
  startServer,
  suite,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';

const own = suite();
/** Garbage is collected early: what is measured is what is kept. */
const small_heap = ['--max-old-space-size=160', '--max-semi-space-size=4'];
let server: TestServer;
let account: TestAccount;

beforeAll(async () => {
  server = await startServer({ env: own.env, node_args: small_heap });
  own.onEnd(() => server.kill());
  account = await createAccount({ env: own.env, plan: 'enterprise' });
}, 120_000);

/** About 24 MiB of events: more than the kernel keeps for a reader that has stopped. */
const input = { steps: 300, deltas: 10, delta_bytes: 8192, tool: 'none' } as const;
const slow_readers = 16;
/** Events that there are when the slow ones come: behind what the node has in memory, so each is read to for itself. */
const joined_after = 900;
/** A server that keeps everything holds more than 200 MiB; allowed are 256 KiB for each, a page for a moment, and garbage. */
const bound_bytes = 128 * 1024 * 1024;

interface Reader {
  readonly socket: WebSocket;
  readonly seqs: number[];
  /** The first event is here. */
  readonly begun: Promise<void>;
  /** True at the run's end; false when the server has ended the connection before. */
  readonly ended: Promise<boolean>;
}

async function follow(run: string, { after = 0, stops = false } = {}): Promise<Reader> {
  const socket = new WebSocket(server.ws, 'netra.v1', { headers: { authorization: `Bearer ${account.token}` } });
  const seqs: number[] = [];
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<boolean>();
  const followed = Promise.withResolvers<void>();
  socket.on('error', (error) => followed.reject(error));
  socket.on('close', () => ended.resolve(false));
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as ServerFrame;
    if (frame.type === 'ready') socket.send(JSON.stringify({ type: 'subscribe', id: 'follow', run, after }));
    if (frame.type === 'subscribed') followed.resolve();
    if (frame.type === 'end') ended.resolve(true);
    if (!('seq' in frame && 'data' in frame)) return;
    seqs.push(frame.seq);
    if (stops && seqs.length === 1) socket.pause();
    begun.resolve();
  });
  await followed.promise;
  return { socket, seqs, begun: begun.promise, ended: ended.promise };
}

async function startRun(step_ms: number): Promise<string> {
  const answer = await fetch(`${server.url}/v1/threads`, {
    method: 'POST',
    headers: { ...headers(), 'idempotency-key': randomUUID() },
    body: '{}',
  });
  const { thread } = (await answer.json()) as { thread: string };
  const accepted = await fetch(`${server.url}/v1/threads/${thread}/runs`, {
    method: 'POST',
    headers: { ...headers(), 'idempotency-key': randomUUID() },
    body: JSON.stringify({ agent: 'rehearsal', input: { ...input, step_ms } }),
  });
  const { run } = (await accepted.json()) as { run: string };
  return run;
}

const headers = () => ({ authorization: `Bearer ${account.token}`, 'content-type': 'application/json' });

/** All that a reader gets of the run, in the end: from its own socket, and from another if that one was closed. */
async function readOn(run: string, { socket, seqs, ended }: Reader): Promise<number[]> {
  socket.resume();
  if (await ended) return seqs;
  const again = await follow(run, { after: seqs.length });
  expect(await again.ended).toBe(true);
  again.socket.close();
  return [...seqs, ...again.seqs];
}

test('readers that stop in the middle of a run cost no memory, hold up nobody, and get each event once in the end', async () => {
  // What a run and its readers cost when all of them read.
  const first = await startRun(0);
  const warm = await Promise.all(Array.from({ length: 2 }, () => follow(first)));
  await Promise.all(warm.map(({ ended }) => ended));
  const before_bytes = await peakMemory_bytes(server.pid);

  const run = await startRun(10);
  const quick = await Promise.all([follow(run), follow(run)]);
  await eventually('the run is well under way', () => (quick[0]?.seqs.length ?? 0) > joined_after, {
    every_ms: 5,
    deadline_ms: 60_000,
  });
  const slow = await Promise.all(Array.from({ length: slow_readers }, () => follow(run, { stops: true })));
  await Promise.all(slow.map(({ begun }) => begun));
  // It goes on, and they have stopped.
  expect(await Promise.all(quick.map(({ ended }) => ended))).toEqual([true, true]);
  const all = Array.from({ length: quick[0]?.seqs.length ?? 0 }, (_, index) => index + 1);
  expect(all.length).toBeGreaterThan(input.steps);
  for (const { seqs } of quick) expect(seqs).toEqual(all);
  // They have really stopped, and before the end.
  for (const { seqs } of slow) expect(seqs.length).toBeLessThan(all.length);

  const two = await Promise.all(slow.slice(0, 2).map((reader) => readOn(run, reader)));
  expect(two).toEqual([all, all]);
  expect((await peakMemory_bytes(server.pid)) - before_bytes).toBeLessThan(bound_bytes);
  for (const { socket } of [...warm, ...quick, ...slow]) socket.terminate();
}, 90_000);
