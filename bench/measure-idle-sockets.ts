import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { subprotocol } from '@netra/contract';
import { WebSocket } from 'ws';
import type { BenchHouse } from './start-house.ts';
import type { Pair } from './rate.ts';

/** KB of the server process's memory for each idle authenticated socket, beside a bare `ws` server's. */
export async function measureIdleSockets(house: BenchHouse, sockets: number): Promise<Pair> {
  const { token } = await house.signUp();
  const ours = await kilobytesEach(house.ws, house.pid, sockets, token);
  const bare = spawn(process.execPath, ['--expose-gc', fileURLToPath(import.meta.resolve('./bare-ws-server.ts'))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await new Promise<string>((resolve) => createInterface({ input: bare.stdout }).once('line', resolve));
    return { ours, floor: await kilobytesEach(url, bare.pid ?? 0, sockets, token) };
  } finally {
    bare.kill('SIGTERM');
  }
}

/** Warmed by a tenth first: what is allocated once for all must not be counted as each one's. */
async function kilobytesEach(url: string, pid: number, count: number, token: string): Promise<number> {
  const warm = await open(url, token, Math.ceil(count / 10));
  const before = residentKilobytes(pid);
  const measured = await open(url, token, count);
  const after = residentKilobytes(pid);
  for (const ws of [...warm, ...measured]) ws.terminate();
  return (after - before) / count;
}

async function open(url: string, token: string, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  for (let index = 0; index < count; index += 1) {
    const ws = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      ws.once('error', reject).once('close', (code) => reject(new Error(`closed with ${code}`)));
      ws.once('open', () => ws.send(JSON.stringify({ type: 'hello', token })));
      ws.once('message', () => resolve());
    });
    ws.removeAllListeners('close');
    sockets.push(ws);
  }
  return sockets;
}

/** Resident memory of a process (proc(5); ps where there is no /proc). */
function residentKilobytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
  }
}
