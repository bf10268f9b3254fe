import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** A client that can say what no library would let it: bytes on a connection that has become a WebSocket. */
export interface RawSocket {
  /** Sends bytes as they are. */
  write(bytes: Buffer): boolean;
  /** The close code that the server sent, or null if it ended the connection without one. */
  readonly closed: Promise<number | null>;
  /** Takes nothing more from the connection. */
  pause(): void;
  destroy(): void;
}

/** Opens a connection and upgrades it, signed in by its header. Rejects if the upgrade is refused. */
export async function openRawSocket(ws: string, token: string): Promise<RawSocket> {
  const { hostname, port, pathname } = new URL(ws);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const lines = [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Protocol: netra.v1',
    `Authorization: Bearer ${token}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  let received = Buffer.alloc(0);
  const upgraded = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number | null>();
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const code = closeCode(received.subarray(end + 4));
    // No answer to it: whoever is hostile is not polite.
    if (code !== null) closed.resolve(code);
    if (received.toString('latin1', 9, 12) === '101') upgraded.resolve();
    else upgraded.reject(new Error(received.toString('latin1', 0, end)));
  });
  socket.on('close', () => {
    upgraded.reject(new Error('closed'));
    closed.resolve(null);
  });
  await upgraded.promise;
  return {
    write: (bytes) => socket.write(bytes),
    closed: closed.promise,
    pause: () => void socket.pause(),
    destroy: () => socket.destroy(),
  };
}

/** The code of the first close frame among the server's frames, which are never masked (RFC 6455 §5.1). */
function closeCode(bytes: Buffer): number | null {
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = (bytes[at] ?? 0) & 0x0f;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + header > bytes.length) return null;
    const size =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    if (opcode === 8) return size < 2 ? null : bytes.readUInt16BE(at + header);
    at += header + size;
  }
  return null;
}

export interface FrameParts {
  /** FIN and RSV bits, and the opcode, as they stand in the first byte. */
  readonly first: number;
  readonly payload?: Buffer;
  readonly masked?: boolean;
  /** What the header says, if that is not the truth. */
  readonly claims?: bigint;
}

/** One frame, however wrong. */
export function frame({ first, payload = Buffer.alloc(0), masked = true, claims }: FrameParts): Buffer {
  const size = claims ?? BigInt(payload.length);
  const bit = masked ? 0x80 : 0;
  let header: Buffer;
  if (size < 126n) header = Buffer.from([first, bit | Number(size)]);
  else if (size < 65_536n) header = Buffer.from([first, bit | 126, Number(size >> 8n), Number(size & 255n)]);
  else {
    header = Buffer.alloc(10);
    header[0] = first;
    header[1] = bit | 127;
    header.writeBigUInt64BE(size, 2);
  }
  if (!masked) return Buffer.concat([header, payload]);
  // A mask of zeros is a mask: the payload stays readable here.
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}

/** Writes until the connection takes no more, or is gone; how many frames were written. */
export async function flood(raw: RawSocket, bytes: Buffer, times: number): Promise<void> {
  let gone = false;
  void raw.closed.then(() => (gone = true));
  for (let sent = 0; sent < times && !gone; sent += 1) {
    raw.write(bytes);
    if (sent % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
  }
}
