/** The peer for sockets: socket.io over WebSocket alone. `emit` with [count, text] sends `count` events to everyone. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
io.on('connection', (socket) => {
  socket.on('emit', async (count, data) => {
    for (let seq = 1; seq <= count; seq += 1) {
      io.emit('event', { ...data, seq });
      await new Promise(setImmediate);
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ type: 'ready', url: `ws://127.0.0.1:${server.address().port}` })}\n`);
});
