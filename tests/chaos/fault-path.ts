import type { FaultServer } from '@netra/testkit';
import { Toxiproxy, type Proxy } from 'toxiproxy-node-client';

type Counts = ReturnType<FaultServer['counts']>;

/** A TCP path of the stage, which can be made bad. */
export interface Path {
  /** host:port to connect to. */
  readonly address: string;
  counts(): Counts;
  /** Nothing listens, and what was open is reset. */
  cut(): Promise<void>;
  /** Swallows all that is sent, either way, and says nothing. */
  swallow(): Promise<void>;
  /** Each chunk takes so long, more or less, and comes in pieces. */
  slow(latency_ms: number): Promise<void>;
  /** Open connections and those to come are reset. */
  reset(): Promise<void>;
  /** Up, without a fault. */
  mend(): Promise<void>;
}

/** Opens a path to `upstream` through the fault proxy. */
export async function openPath(faults: FaultServer, name: string, upstream: string): Promise<Path> {
  const toxiproxy = new Toxiproxy(faults.url);
  const proxy = await toxiproxy.createProxy({ name, listen: '127.0.0.1:0', upstream });
  const { listen } = proxy;
  const enable = (enabled: boolean): Promise<Proxy> => proxy.update({ enabled, listen, upstream });
  const toxics: { remove(): Promise<unknown> }[] = [];
  const poison = async (type: string, attributes: object, streams: readonly string[]): Promise<void> => {
    for (const stream of streams) {
      // The client's types want the attributes of all toxics in one.
      const toxic = { type, name: `${type}_${stream}`, stream, toxicity: 1, attributes };
      toxics.push(await proxy.addToxic(toxic as never));
    }
  };
  const both = ['upstream', 'downstream'];
  return {
    address: listen,
    counts: () => faults.counts(name),
    cut: async () => void (await enable(false)),
    swallow: () => poison('timeout', { timeout: 0 }, both),
    async slow(latency_ms) {
      await poison('latency', { latency: latency_ms, jitter: latency_ms / 2 }, both);
      await poison('slicer', { average_size: 200, size_variation: 150, delay: 50 }, ['downstream']);
    },
    reset: () => poison('reset_peer', { timeout: 0 }, ['downstream']),
    async mend() {
      for (const toxic of toxics.splice(0)) await toxic.remove();
      await enable(true);
    },
  };
}
