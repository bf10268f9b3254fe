import { compose } from '../../../server/main/compose.ts';
import { loadConfig, openLog } from '../../../server/platform/index.ts';
import { connectSocket, startChild, textOf, type Suite, type TestSocket } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

/** What one user waited for, in milliseconds. */
export interface Waits {
  readonly connect_ms: number;
  readonly first_ms: number;
  readonly whole_ms: number;
}

/** As many as the pool for accounts has connections. */
const atOnce = 4;

/** Tokens of `count` users, each with an organisation of their own on the free plan: made as an operator makes them. */
export async function tokensOf(own: Suite, count: number): Promise<readonly string[]> {
  const config = loadConfig({ env: own.env });
  const house = await compose({ config, urls: own.stores, log: openLog({ level: 'error' }) });
  try {
    const tokens: string[] = [];
    for (let from = 0; from < count; from += atOnce) {
      const made = Array.from({ length: Math.min(atOnce, count - from) }, async (_, index) => {
        const input = { email: `user-${randomUUID()}@example.com`, org: `Org ${from + index}`, plan: 'free' };
        return house.accounts.createUserByOperator({ trace_id: '0'.repeat(32), input });
      });
      tokens.push(...(await Promise.all(made)).map(({ token }) => token));
    }
    return tokens;
  } finally {
    await house.close();
  }
}

/** Resolves to what `work` resolves to, and how long that took. */
export async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const began = performance.now();
  const result = await work();
  return [result, performance.now() - began];
}

/** Connects every user to the node of `wsOf`; sockets and how long each took from the upgrade to `ready`. */
export function connectAll(
  tokens: readonly string[],
  wsOf: (index: number) => string,
): Promise<readonly (readonly [TestSocket, number])[]> {
  return Promise.all(tokens.map((token, index) => timed(() => connectSocket({ ws: wsOf(index), token }))));
}

/**
 * The same with a bare `ws` echo in a process of its own: a first frame there and back after the connection is open,
 * then `frames` of `size_bytes`, one after the other; nothing is stored, nothing is checked.
 */
export async function echoFloor(users: number, frames: number, size_bytes: number): Promise<readonly Waits[]> {
  const args = [fileURLToPath(new URL('echo-server.ts', import.meta.url))];
  const echo = await startChild({ args, env: { PATH: '/usr/bin' }, type: 'ready', deadline_ms: 20_000 });
  const text = 'x'.repeat(size_bytes);
  try {
    const connected = await Promise.all(
      Array.from({ length: users }, () => timed(() => openEcho(textOf(echo.ready, 'ws'), text))),
    );
    return await Promise.all(
      connected.map(async ([socket, connect_ms]) => {
        const began = performance.now();
        await roundTrip(socket, text);
        const first_ms = performance.now() - began;
        for (let sent = 1; sent < frames; sent += 1) await roundTrip(socket, text);
        socket.terminate();
        return { connect_ms, first_ms, whole_ms: performance.now() - began };
      }),
    );
  } finally {
    await echo.stop();
  }
}

async function openEcho(ws: string, hello: string): Promise<WebSocket> {
  const socket = new WebSocket(ws);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  await roundTrip(socket, hello);
  return socket;
}

function roundTrip(socket: WebSocket, text: string): Promise<unknown> {
  return new Promise((resolve) => {
    socket.once('message', resolve);
    socket.send(text);
  });
}

/** One line a wait: `connect p50 12 ms, p95 …`. */
export function report(name: string, waits: readonly Waits[]): string {
  const lines = (['connect_ms', 'first_ms', 'whole_ms'] as const).map((key) => {
    const sorted = waits.map((wait) => wait[key]).toSorted((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
    return `${key.replace('_ms', '').padEnd(8)} p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`;
  });
  return [`${waits.length} at once, ${name}`, ...lines].join('\n  ');
}
