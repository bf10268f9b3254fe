/**
 * The floor for sockets: `ws` with the same settings, and no product behind it. Answers each first frame; one that says
 * `{ emit, data }` has that many events sent to everyone, each encoded once.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1024, clientTracking: true });
sockets.on('connection', (ws) => {
  ws.on('message', (message: Buffer) => {
    const asked = JSON.parse(message.toString()) as { readonly emit?: number; readonly data?: object };
    if (asked.emit === undefined) ws.send('{"type":"ready"}');
    else void emit(asked.emit, asked.data ?? {});
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ type: 'ready', url: `ws://127.0.0.1:${port}` })}\n`);
});

async function emit(count: number, data: object): Promise<void> {
  for (let seq = 1; seq <= count; seq += 1) {
    const frame = JSON.stringify({ ...data, seq });
    for (const ws of sockets.clients) ws.send(frame);
    await turn();
  }
}
