import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { admitRun, executeRun, loadAgents } from '../agents/index.ts';
import { keepPriceBook } from '../billing/index.ts';
import { compatRoutes } from '../compat/index.ts';
import { createHttp, type Probes } from '../http/index.ts';
import { routes } from '../http/routes/index.ts';
import * as plans from '../plans/index.ts';
import { postgresUrlFor, type Shutdown } from '../platform/index.ts';
import { giveApproval, listenToHints, requestCancel, tailRun } from '../runs/index.ts';
import { startClock } from '../schedules/index.ts';
import { startSender } from '../webhooks/index.ts';
import { createWorker } from '../work/index.ts';
import { attachWebSocket } from '../ws/index.ts';
import { compose, type ComposeOptions } from './compose.ts';
import { sayConfig } from './say-config.ts';
import { startJobs } from './start-jobs.ts';
import { watchStores, type StoresStanding } from './watch-stores.ts';

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
  shutdown.add('own agents', await loadAgents({ platform }));
  shutdown.add('configuration', await sayConfig(platform, options.config));
  const worker = createWorker({
    platform,
    capacity: config.capacity,
    execute: (claim, signal, leaving) => executeRun({ platform, claim, signal, leaving }),
  });
  const stores = watchStores({ platform, app_url: postgresUrlFor('app', urls) });
  shutdown.add('store watch', () => stores.stop());
  let serving = false;
  const draining = (): boolean => shutdown.signal.aborted;
  const app = await createHttp({
    platform,
    accounts,
    plans,
    routes: [...routes({ accounts }), ...compatRoutes],
    origins: config.cors_origins,
    probes: {
      started: () => true,
      readiness: () => readinessOf(serving && !draining(), stores.standing),
      draining,
    },
  });
  const sockets = attachWebSocket({
    server: app.server,
    platform,
    accounts,
    plans,
    rooms: { admitRun, tailRun, requestCancel, giveApproval },
    origins: config.cors_origins,
    limits: { sockets_user: config.sockets.user, sockets_org: config.sockets.org },
  });
  await keepPriceBook({ platform });
  shutdown.add('hints', await listenToHints(platform));
  shutdown.add('jobs', await startJobs({ platform }));
  const clock = startClock({ platform, roleOf: (who) => accounts.roleOf(who) });
  shutdown.add('clock of runs', () => clock.stop());
  const sender = startSender({ platform });
  shutdown.add('webhooks', () => sender.stop());
  shutdown.add('http', () => app.close());
  worker.start();
  // Together: runs are handed over while sockets are told to come back, both within the one drain time. Requests are
  // still taken meanwhile, for at least as long as a balancer needs to notice.
  shutdown.add('runs and sockets', async () => {
    await Promise.all([
      worker.drain(config.drain_ms),
      sockets.close(config.drain_ms, config.drain_notice_ms),
      setTimeout(config.drain_notice_ms),
    ]);
  });
  await app.listen({ host: config.host, port: config.port });
  serving = true;
  const url = addressOf(config.host, app.server.address() as AddressInfo);
  return { url, ws: `${url.replace(/^http/, 'ws')}/v1/ws` };
}

/** A store that all nodes share takes none of them out of the balancer: there would be none left. */
function readinessOf(open: boolean, stores: StoresStanding): ReturnType<Probes['readiness']> {
  if (!open || stores === 'cut_off') return { serve: false, word: 'not ready' };
  return { serve: true, word: stores };
}

/** Where this process listens; NETRA_PUBLIC_URL is what a proxy in front of it says. */
function addressOf(host: string, { port }: AddressInfo): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
