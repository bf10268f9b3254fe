import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { FaultProxy, type ProxyCounts } from './proxy.ts';
import { parseToxic } from './toxic.ts';

/** A fault proxy that speaks Toxiproxy's HTTP interface, so that any of its clients drives it. */
export interface FaultServer {
  /** For `new Toxiproxy(url)`. */
  readonly url: string;
  /** What has gone through a proxy, and how often it cut. Throws for an unknown name. */
  counts(proxy: string): ProxyCounts;
  close(): Promise<void>;
}

const newProxy = z.object({
  name: z.string().min(1),
  listen: z.string().default('127.0.0.1:0'),
  upstream: z.string(),
  enabled: z.boolean().default(true),
});
const proxyChange = z.object({ enabled: z.boolean().optional() });

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const notFound: Answer = { status: 404, body: { error: 'proxy or toxic not found', status: 404 } };

/** Starts it on a free loopback port. `random` draws jitter, sizes and luck: seed it and a schedule can be replayed. */
export async function serveFaults(options: { readonly random?: () => number } = {}): Promise<FaultServer> {
  const { random = Math.random } = options;
  const proxies = new Map<string, FaultProxy>();
  const routes = new Faults(proxies, random);
  const server = createServer((request, response) => {
    void routes.answer(request).then(({ status, body }) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body ?? {});
      response.writeHead(status, { 'Content-Type': typeof body === 'string' ? 'text/plain' : 'application/json' });
      response.end(status === 204 ? undefined : text);
    });
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts(name) {
      const proxy = proxies.get(name);
      if (proxy === undefined) throw new Error(`no proxy ${name}`);
      return proxy.counts;
    },
    async close() {
      await Promise.all([...proxies.values()].map((proxy) => proxy.disable()));
      server.closeAllConnections();
      server.close();
    },
  };
}

class Faults {
  readonly #proxies: Map<string, FaultProxy>;
  readonly #random: () => number;

  constructor(proxies: Map<string, FaultProxy>, random: () => number) {
    this.#proxies = proxies;
    this.#random = random;
  }

  async answer(request: IncomingMessage): Promise<Answer> {
    try {
      const path = new URL(request.url ?? '/', 'http://faults').pathname.split('/').slice(1).map(decodeURIComponent);
      return await this.#route(request.method ?? 'GET', path, await bodyOf(request));
    } catch (error) {
      return { status: 400, body: { error: error instanceof Error ? error.message : String(error), status: 400 } };
    }
  }

  async #route(method: string, path: readonly string[], body: unknown): Promise<Answer> {
    const [root, name, toxics, toxic] = path;
    if (root === 'version') return { status: 200, body: 'netra fault proxy' };
    if (root === 'reset') return this.#reset();
    if (root === 'populate') return this.#populate(body);
    if (root !== 'proxies') return notFound;
    if (name === undefined) return method === 'POST' ? this.#create(body) : { status: 200, body: this.#all() };
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) return notFound;
    return toxics === undefined ? this.#change(proxy, method, body) : changeToxics(proxy, method, toxic, body);
  }

  #all(): Readonly<Record<string, unknown>> {
    return Object.fromEntries([...this.#proxies].map(([name, proxy]) => [name, proxy.state]));
  }

  async #create(body: unknown): Promise<Answer> {
    const { enabled, ...options } = newProxy.parse(body);
    if (this.#proxies.has(options.name)) return { status: 409, body: { error: 'proxy already exists', status: 409 } };
    const proxy = new FaultProxy({ ...options, random: this.#random });
    this.#proxies.set(options.name, proxy);
    if (enabled) await proxy.enable();
    return { status: 201, body: proxy.state };
  }

  async #populate(body: unknown): Promise<Answer> {
    const wanted = z.array(newProxy).parse(body);
    const made: unknown[] = [];
    for (const each of wanted) {
      await this.#proxies.get(each.name)?.disable();
      this.#proxies.delete(each.name);
      made.push((await this.#create(each)).body);
    }
    return { status: 201, body: { proxies: made } };
  }

  async #reset(): Promise<Answer> {
    for (const proxy of this.#proxies.values()) {
      proxy.clear();
      await proxy.enable();
    }
    return { status: 204 };
  }

  async #change(proxy: FaultProxy, method: string, body: unknown): Promise<Answer> {
    if (method === 'DELETE') {
      await proxy.disable();
      this.#proxies.delete(proxy.name);
      return { status: 204 };
    }
    if (method === 'POST' || method === 'PATCH') {
      const { enabled } = proxyChange.parse(body);
      if (enabled === true) await proxy.enable();
      if (enabled === false) await proxy.disable();
    }
    return { status: 200, body: proxy.state };
  }
}

function changeToxics(proxy: FaultProxy, method: string, name: string | undefined, body: unknown): Answer {
  if (name === undefined) {
    if (method !== 'POST') return { status: 200, body: proxy.state.toxics };
    const toxic = parseToxic(body);
    proxy.add(toxic);
    return { status: 200, body: toxic };
  }
  const known = proxy.toxic(name);
  if (known === undefined) return notFound;
  if (method === 'DELETE') {
    proxy.remove(name);
    return { status: 204 };
  }
  if (method !== 'POST' && method !== 'PATCH') return { status: 200, body: known };
  const change = z.looseObject({ attributes: z.looseObject({}).optional() }).parse(body);
  const toxic = parseToxic({ ...known, ...change, name, attributes: { ...known.attributes, ...change.attributes } });
  proxy.add(toxic);
  return { status: 200, body: toxic };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}
