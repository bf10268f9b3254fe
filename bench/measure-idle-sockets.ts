import type { WebSocket } from 'ws';
import type { Audience } from './audience.ts';
import { residentKilobytes } from './process-figures.ts';

/** KB of the server process's memory for each idle, signed-in socket. */
export async function measureIdleSockets(audience: Audience, sockets: number): Promise<number> {
  // Warmed by a tenth first: what is allocated once for all must not be counted as each one's.
  const warm = await joinMany(audience, Math.ceil(sockets / 10));
  const before = residentKilobytes(audience.pid);
  const measured = await joinMany(audience, sockets);
  const after = residentKilobytes(audience.pid);
  for (const ws of [...warm, ...measured]) ws.terminate();
  return (after - before) / sockets;
}

/** One after another. */
export async function joinMany(audience: Audience, count: number): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) sockets.push(await audience.join());
  return sockets;
}
