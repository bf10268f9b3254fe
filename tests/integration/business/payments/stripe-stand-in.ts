import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Suite } from '@netra/testkit';

/** A request as it left us: its path, its key, and the form that Stripe's library made of it. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly form: Readonly<Record<string, string>>;
}

/**
 * A loopback server in place of Stripe's API. It knows no rule of Stripe's but one (the same Idempotency-Key is the same
 * answer): it shows what our requests say, and gives them ids to go on with. What Stripe would answer it cannot tell.
 */
export interface StandIn {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Those of a method and path, in their order. */
  of(method: string, path: string | RegExp): Asked[];
  /** Runs before each answer; what it throws becomes the status of the answer. */
  before(hook: ((asked: Asked) => Promise<void>) | undefined): void;
  /** The state that a page is told to have. */
  pages: Map<string, 'open' | 'complete' | 'expired'>;
}

export async function openStandIn(on: Suite): Promise<StandIn> {
  const asked: Asked[] = [];
  const answers = new Map<string, object>();
  const pages = new Map<string, 'open' | 'complete' | 'expired'>();
  let hook: ((one: Asked) => Promise<void>) | undefined;
  let made = 0;
  const objectOf = ({ method, path }: Asked): object => {
    const [, , noun = '', ...rest] = path.split('/');
    const named = rest.at(-1) === 'expire' ? rest.at(-2) : rest.at(-1);
    const isNew = method === 'POST' && (rest.length === 0 || path === '/v1/checkout/sessions');
    if (isNew) made += 1;
    const id = isNew ? `${prefixes[noun] ?? noun}_${made}` : (named ?? '');
    if (noun === 'checkout') {
      if (isNew) pages.set(id, 'open');
      if (rest.at(-1) === 'expire') pages.set(id, 'expired');
      return { id, object: 'checkout.session', status: pages.get(id), url: `https://checkout.example/${id}` };
    }
    if (noun === 'payment_intents') return { id, object: 'payment_intent', payment_method: `pm_of_${id}` };
    if (noun === 'subscriptions')
      return { id, object: 'subscription', status: 'active', items: { data: [{ id: 'si_1' }] } };
    return { id, object: noun };
  };
  const server = createServer((request, reply) => void serve(request, reply));
  async function serve(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const one = await read(request);
    asked.push(one);
    let status = 200;
    let body: object = { error: { type: 'api_error', message: 'told to fail' } };
    try {
      await hook?.(one);
      const known = one.key === undefined ? undefined : answers.get(one.key);
      body = known ?? objectOf(one);
      if (one.key !== undefined) answers.set(one.key, body);
    } catch {
      status = 500;
    }
    reply.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_${asked.length}` });
    reply.end(JSON.stringify(body));
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  on.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    pages,
    of: (method, path) =>
      asked.filter(
        (one) => one.method === method && (path instanceof RegExp ? path.test(one.path) : one.path === path),
      ),
    before: (given) => {
      hook = given;
    },
  };
}

const prefixes: Readonly<Record<string, string>> = {
  customers: 'cus',
  checkout: 'cs_test',
  refunds: 're',
  subscriptions: 'sub',
  products: 'prod',
};

async function read(request: IncomingMessage): Promise<Asked> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString('utf8')));
  const { pathname } = new URL(request.url ?? '/', 'http://stripe');
  const key = request.headers['idempotency-key'];
  return { method: request.method ?? '', path: pathname, key: typeof key === 'string' ? key : undefined, form };
}
