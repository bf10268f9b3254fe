import { parseArgs } from 'node:util';
import { openLog, openShutdown } from '../platform/index.ts';
import { commonOptions, configFrom } from './options.ts';
import { openMigratedStores } from './open-stores.ts';
import { serve } from './serve.ts';

/** Time beyond the drain for sockets, pools and embedded stores to close. */
const closing_ms = 15_000;

/** `start [--port N] [--data DIR] [--agents DIR]`: serves until SIGTERM, then drains. One line on stdout when it serves. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...commonOptions, agents: { type: 'string' } } });
  const config = configFrom(values);
  const log = openLog({ level: config.log_level });
  const shutdown = openShutdown({ log, timeout_ms: Math.max(config.drain_ms, config.drain_notice_ms) + closing_ms });
  try {
    const stores = await openMigratedStores(config, log);
    shutdown.add('stores', () => stores.stop());
    const { url, ws } = await serve({ config, urls: stores.urls, log, shutdown });
    process.stdout.write(`${JSON.stringify({ type: 'ready', url, ws })}\n`);
  } catch (error) {
    await shutdown.close('could not start');
    shutdown.dispose();
    throw error;
  }
  // From here on the server's handles keep the process; `shutdown` ends it.
  return new Promise<number>(() => undefined);
}
