import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Suite } from '@netra/testkit';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A receiver that takes its time. */
  readonly after_ms?: number;
}

/** A real HTTP server on loopback, as a customer's: keeps what it got and answers as it is told. */
export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** What the next requests are answered with; undefined = not at all. */
  answer(next: Answer | undefined): void;
}

export async function openReceiver(on: Suite): Promise<Receiver> {
  const received: Received[] = [];
  let next: Answer | undefined = { status: 204 };
  const server = createServer((request, reply) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(parts).toString('utf8') });
      const answer = next;
      if (answer === undefined) return;
      setTimeout(() => {
        reply.writeHead(answer.status, answer.headers);
        reply.end(answer.body);
      }, answer.after_ms ?? 0);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  on.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer: (given) => {
      next = given;
    },
  };
}
