import type { AddressInfo } from 'node:net';
import { admitRun, executeRun } from '../agents/index.ts';
import { keepPriceBook } from '../billing/index.ts';
import { compatRoutes } from '../compat/index.ts';
import { createHttp } from '../http/index.ts';
import { routes } from '../http/routes/index.ts';
import * as plans from '../plans/index.ts';
import type { Shutdown } from '../platform/index.ts';
import { giveApproval, listenToHints, requestCancel, tailRun } from '../runs/index.ts';
import { startSender } from '../webhooks/index.ts';
import { createWorker } from '../work/index.ts';
import { attachWebSocket } from '../ws/index.ts';
import { compose, type ComposeOptions } from './compose.ts';
import { sayConfig } from './say-config.ts';
import { startJobs } from './start-jobs.ts';

export interface ServeOptions extends ComposeOptions {
  /** Gets a closer for each thing that is opened, in the order of opening. */
  readonly shutdown: Shutdown;
}

/** Wires one node and serves. The stores are up and migrated. */
export async function serve(options: ServeOptions): Promise<{ readonly url: string; readonly ws: string }> {
  const { shutdown, urls } = options;
  const house = await compose(options);
  shutdown.add('rooms', () => house.close());
  const { platform, accounts } = house;
  const { config } = platform;
  shutdown.add('configuration', await sayConfig(platform, options.config));
  const worker = createWorker({
    platform,
    capacity: config.capacity,
    execute: (claim, signal) => executeRun({ platform, claim, signal }),
  });
  let serving = false;
  const app = await createHttp({
    platform,
    accounts,
    plans,
    routes: [...routes({ accounts }), ...compatRoutes],
    origins: config.cors_origins,
    probes: { started: () => true, ready: () => serving && !shutdown.signal.aborted },
  });
  const sockets = attachWebSocket({
    server: app.server,
    platform,
    accounts,
    plans,
    rooms: { admitRun, tailRun, requestCancel, giveApproval },
    origins: config.cors_origins,
  });
  await keepPriceBook({ platform });
  shutdown.add('hints', await listenToHints(platform));
  shutdown.add('jobs', await startJobs({ platform, urls }));
  const sender = startSender({ platform });
  shutdown.add('webhooks', () => sender.stop());
  shutdown.add('http', () => app.close());
  worker.start();
  // Together: runs are handed over while sockets are told to come back, both within the one drain time.
  shutdown.add('runs and sockets', async () => {
    await Promise.all([worker.drain(config.drain_ms), sockets.close(config.drain_ms)]);
  });
  await app.listen({ host: config.host, port: config.port });
  serving = true;
  const url = addressOf(config.host, app.server.address() as AddressInfo);
  return { url, ws: `${url.replace(/^http/, 'ws')}/v1/ws` };
}

/** Where this process listens; NETRA_PUBLIC_URL is what a proxy in front of it says. */
function addressOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
