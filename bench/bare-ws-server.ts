/** The floor for sockets: `ws` with the same settings, and no product behind it. Answers each first frame. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1024, clientTracking: true });
sockets.on('connection', (ws) => {
  ws.on('message', () => ws.send('{"type":"ready"}'));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
