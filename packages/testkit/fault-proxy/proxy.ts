import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Link } from './link.ts';
import type { Toxic } from './toxic.ts';

export interface ProxyState {
  readonly name: string;
  readonly listen: string;
  readonly upstream: string;
  readonly enabled: boolean;
  readonly toxics: readonly Toxic[];
}

interface Connection {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Drawn once: a toxic of toxicity 0.3 touches the connections below 0.3. */
  readonly luck: number;
}

/** What a test asks to be sure that its fault has landed. */
export interface ProxyCounts {
  readonly opened: number;
  /** Connections that the proxy itself ended: disabled, reset, timed out, over their limit. */
  readonly cut: number;
  readonly bytes: number;
  /** Chunks that came to a toxic: delayed, held, sliced or dropped. */
  readonly touched: number;
}

/** A TCP proxy whose faults come and go while connections are open. */
export class FaultProxy {
  readonly name: string;
  readonly upstream: string;
  readonly #random: () => number;
  #listen: string;
  #server: Server | null = null;
  readonly #toxics = new Map<string, Toxic>();
  readonly #connections = new Set<Connection>();
  readonly #links: Link[] = [];
  #changed = Promise.withResolvers<void>();
  #opened = 0;
  #cut = 0;

  constructor(options: {
    readonly name: string;
    readonly listen: string;
    readonly upstream: string;
    random: () => number;
  }) {
    this.name = options.name;
    this.upstream = options.upstream;
    this.#listen = options.listen;
    this.#random = options.random;
  }

  get state(): ProxyState {
    const { name, upstream } = this;
    return { name, upstream, listen: this.#listen, enabled: this.#server !== null, toxics: [...this.#toxics.values()] };
  }

  get counts(): ProxyCounts {
    const bytes = this.#links.reduce((sum, link) => sum + link.passed_bytes, 0);
    const touched = this.#links.reduce((sum, link) => sum + link.touched, 0);
    return { opened: this.#opened, cut: this.#cut, bytes, touched };
  }

  /** Listens where it did before, or on any free port of the address it was given. */
  async enable(): Promise<void> {
    if (this.#server !== null) return;
    const { host, port } = parseAddress(this.#listen);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    server.listen({ host, port });
    await once(server, 'listening');
    this.#server = server;
    this.#listen = `${host}:${(server.address() as AddressInfo).port}`;
  }

  /** Down: nothing listens, and what was open is reset. */
  async disable(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const connection of this.#connections) this.#end(connection, 'reset');
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  add(toxic: Toxic): void {
    this.#toxics.set(toxic.name, toxic);
    this.#tellChange();
    for (const connection of this.#connections) this.#scheduleReset(connection);
  }

  toxic(name: string): Toxic | undefined {
    return this.#toxics.get(name);
  }

  remove(name: string): boolean {
    const known = this.#toxics.delete(name);
    this.#tellChange();
    return known;
  }

  clear(): void {
    this.#toxics.clear();
    this.#tellChange();
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #accept(client: Socket): void {
    const upstream = connect({ ...parseAddress(this.upstream), allowHalfOpen: true, noDelay: true });
    const connection = { client, upstream, luck: this.#random() };
    this.#opened += 1;
    this.#connections.add(connection);
    const gone = (): void => {
      client.destroy();
      upstream.destroy();
      this.#connections.delete(connection);
    };
    for (const socket of [client, upstream]) socket.on('error', gone);
    client.on('close', gone);
    upstream.on('close', gone);
    this.#follow(connection, 'upstream', client, upstream);
    this.#follow(connection, 'downstream', upstream, client);
    this.#scheduleReset(connection);
  }

  #follow(connection: Connection, stream: Toxic['stream'], from: Socket, to: Socket): void {
    const link = new Link({
      from,
      to,
      toxics: () => this.#touching(connection).filter((toxic) => toxic.stream === stream),
      changed: () => this.#changed.promise,
      random: this.#random,
      cut: (how) => this.#end(connection, how),
    });
    this.#links.push(link);
    void link.run();
  }

  #touching({ luck }: Connection): readonly Toxic[] {
    return [...this.#toxics.values()].filter(({ toxicity }) => luck < toxicity);
  }

  #scheduleReset(connection: Connection): void {
    for (const toxic of this.#touching(connection)) {
      if (toxic.type !== 'reset_peer') continue;
      void sleep(toxic.attributes.timeout).then(() => {
        if (this.#toxics.get(toxic.name) === toxic) this.#end(connection, 'reset');
      });
    }
  }

  #end(connection: Connection, how: 'close' | 'reset'): void {
    if (!this.#connections.delete(connection)) return;
    this.#cut += 1;
    for (const socket of [connection.client, connection.upstream]) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}

/** `host:port`, `[host]:port`; throws an Error for anything else. */
function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(address);
  if (!match) throw new Error(`not an address: ${address}`);
  return { host: match[1] === '' ? '127.0.0.1' : (match[1] ?? ''), port: Number(match[2]) };
}
