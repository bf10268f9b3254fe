import { fileURLToPath } from 'node:url';
import { subprotocol } from '@netra/contract';
import { startChild } from '@netra/testkit/processes';
import { WebSocket } from 'ws';
import { peerProgram } from './peers.ts';
import type { BenchHouse } from './start-house.ts';

/** A server that pushes to many sockets: ours, the floor, or a peer. All are spoken to by the same bare client. */
export interface Audience {
  readonly pid: number;
  /** A socket that is signed in and would receive. */
  join(): Promise<WebSocket>;
  close(): Promise<void>;
}

/** The house's sockets, all of one user. */
export async function ours(house: BenchHouse): Promise<Audience & { readonly token: string }> {
  const { token } = await house.signUp();
  return {
    pid: house.pid,
    token,
    join: () => connect(house.ws, subprotocol, (ws) => ws.send(JSON.stringify({ type: 'hello', token }))),
    close: () => Promise.resolve(),
  };
}

/** Bare `ws`. */
export async function bareWs(): Promise<Audience> {
  const program = fileURLToPath(import.meta.resolve('./bare-ws-server.ts'));
  const { url, pid, stop } = await start(program);
  return { pid, join: () => connect(url, [], (ws) => ws.send('{}')), close: stop };
}

/** socket.io by its protocol: `40` opens the namespace, `2` is a ping (https://socket.io/docs/v4/engine-io-protocol/). */
export async function socketIo(): Promise<Audience> {
  const { url, pid, stop } = await start(await peerProgram('socket-io-server.mjs'));
  const join = (): Promise<WebSocket> =>
    connect(`${url}/socket.io/?EIO=4&transport=websocket`, [], (ws) => {
      ws.on('message', (data: Buffer) => data.toString() === '2' && ws.send('3'));
      ws.send('40');
    });
  return { pid, join, close: stop };
}

async function start(program: string): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const child = await startChild({ args: [program], env: process.env, type: 'ready', deadline_ms: 30_000 });
  return { url: String(child.ready['url']), pid: child.child.pid ?? 0, stop: () => child.stop() };
}

function connect(url: string, protocols: string | string[], signIn: (ws: WebSocket) => void): Promise<WebSocket> {
  const ws = new WebSocket(url, protocols, { perMessageDeflate: false });
  return new Promise((resolve, reject) => {
    ws.once('error', reject).once('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.once('open', () => signIn(ws));
    ws.on('message', function answered(data: Buffer) {
      // socket.io greets (`0{…}`) before it is asked; `40` answers.
      if (data.toString().startsWith('0{')) return;
      ws.off('message', answered).removeAllListeners('close');
      resolve(ws);
    });
  });
}
