import { openLog } from '../platform/index.ts';
import type { ComposeOptions } from './compose.ts';
import { configFrom, type CommonFlags } from './options.ts';
import { openStores } from './open-stores.ts';

/**
 * Opens the stores that the flags name, as they are (no migration), lets `work` use them, and stops what it started,
 * whatever happens in between. What a command needs that is not the server.
 */
export async function withStores<T>(
  flags: CommonFlags,
  level: 'info' | 'warn',
  work: (open: ComposeOptions) => Promise<T>,
): Promise<T> {
  const config = configFrom(flags);
  const log = openLog({ level });
  const stores = await openStores(config, log);
  try {
    return await work({ config, urls: stores.urls, log });
  } finally {
    await stores.stop();
  }
}
