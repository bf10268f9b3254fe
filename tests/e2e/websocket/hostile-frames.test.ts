/**
 * Segment: operators with a port that is open to everybody
 * Goal: bytes that no library would send end their own connection, with the code that RFC 6455 names, and nothing else
 * Value: nobody takes a node down with a script
 * Strategic impact: one open port serves every client, safely
 *
 * Planted bugs that turn this red: take frames of any size; let a frame be cut into any number of parts. (Pings that are
 * not counted do not: `ws` ends a flood of them by itself when its pongs are not taken.)
 */
import { connectSocket, createAccount, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { flood, frame, openRawSocket, type RawSocket } from './raw-socket.ts';

const own = suite();
let server: TestServer;
let account: TestAccount;

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  account = await createAccount({ env: own.env, plan: 'free' });
}, 120_000);

// Whatever was sent: the process lives, and serves others.
afterEach(async () => {
  const socket = await connectSocket({ ws: server.ws, token: account.token });
  socket.send({ type: 'cancel', id: 'still', run: randomUUID() });
  const answer = await socket.waitFor('an answer', (each) => 'id' in each && each.id === 'still');
  expect(answer).toMatchObject({ code: 'not_found' });
  await socket.close();
});

const fin = 0x80;
const [continuation, text, close, ping] = [0, 1, 8, 9];
const json = Buffer.from(JSON.stringify({ type: 'cancel', id: 1, run: randomUUID() }));
const big = Buffer.alloc(60 * 1024, 'x');

const cases: readonly (readonly [string, number, readonly Buffer[]])[] = [
  ['an opcode that is none', 1002, [frame({ first: fin | 3 })]],
  ['a control opcode that is none', 1002, [frame({ first: fin | 0xb })]],
  ['a frame without a mask', 1002, [frame({ first: fin | text, payload: json, masked: false })]],
  ['a reserved bit', 1002, [frame({ first: fin | 0x40 | text, payload: json })]],
  ['a ping in parts', 1002, [frame({ first: ping })]],
  ['a ping of more than 125 bytes', 1002, [frame({ first: fin | ping, payload: Buffer.alloc(126) })]],
  ['a continuation of nothing', 1002, [frame({ first: fin | continuation, payload: json })]],
  ['a new message inside another', 1002, [frame({ first: text, payload: json }), frame({ first: fin | text })]],
  ['a close frame of one byte', 1002, [frame({ first: fin | close, payload: Buffer.from([3]) })]],
  ['a close code that nobody may send', 1002, [frame({ first: fin | close, payload: Buffer.from([0x03, 0xed]) })]],
  ['a reason that is not UTF-8', 1007, [frame({ first: fin | close, payload: Buffer.from([0x03, 0xe8, 0xc3, 0x28]) })]],
  ['text that is not UTF-8', 1007, [frame({ first: fin | text, payload: Buffer.from([0xc3, 0x28]) })]],
  ['half a character at the end', 1007, [frame({ first: fin | text, payload: Buffer.from([0xe2, 0x82]) })]],
  ['a length beyond 2^53', 1009, [frame({ first: fin | text, claims: 2n ** 62n })]],
  ['a length of 100 MiB', 1009, [frame({ first: fin | text, claims: 100n * 1024n * 1024n })]],
  [
    'parts that together are too much',
    1009,
    [frame({ first: text, payload: big }), frame({ first: continuation, payload: big })],
  ],
];

test.each(cases)('%s ends the connection with %i', async (_what, code, frames) => {
  const raw = await openRawSocket(server.ws, account.token);
  raw.write(Buffer.concat(frames));
  expect(await raw.closed).toBe(code);
});

/** What the server's process has in memory, as the kernel sees it. */
async function resident_bytes(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

test('a message in endless parts, empty or not, ends with 1008', async () => {
  for (const payload of [Buffer.alloc(0), Buffer.from('x')]) {
    const raw = await openRawSocket(server.ws, account.token);
    raw.write(frame({ first: text, payload }));
    await flood(raw, frame({ first: continuation, payload }), 20_000);
    expect(await raw.closed).toBe(1008);
  }
});

test('a flood of pings ends with 1008, also from a client that reads no pong', async () => {
  const reads = await openRawSocket(server.ws, account.token);
  await flood(reads, frame({ first: fin | ping, payload: Buffer.alloc(125) }), 20_000);
  // Cut off in the middle of writing it may never read why.
  expect([1008, null]).toContain(await reads.closed);
  const before_bytes = await resident_bytes();
  const deaf: RawSocket[] = [];
  for (let each = 0; each < 8; each += 1) {
    const raw = await openRawSocket(server.ws, account.token);
    raw.pause();
    await flood(raw, frame({ first: fin | ping, payload: Buffer.alloc(125) }), 20_000);
    deaf.push(raw);
  }
  // 8 × 20,000 × 127 bytes of pongs would be 20 MiB if they piled up.
  expect((await resident_bytes()) - before_bytes).toBeLessThan(64 * 1024 * 1024);
  for (const raw of deaf) raw.destroy();
}, 60_000);

test('a flood of valid frames in one write ends with 1008', async () => {
  const raw = await openRawSocket(server.ws, account.token);
  const one = frame({ first: fin | text, payload: json });
  raw.write(Buffer.concat(Array.from({ length: 5_000 }, () => one)));
  expect(await raw.closed).toBe(1008);
});

test('half a handshake and half a frame hold nothing up', async () => {
  const raw = await openRawSocket(server.ws, account.token);
  raw.write(frame({ first: fin | text, payload: json }).subarray(0, 7));
  const other = await connectSocket({ ws: server.ws, token: account.token });
  other.send({ type: 'cancel', id: 1, run: randomUUID() });
  expect(await other.waitFor('an answer', (each) => 'id' in each && each.id === 1)).toMatchObject({
    code: 'not_found',
  });
  await other.close();
  raw.destroy();
});
