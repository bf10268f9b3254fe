import { openLog } from '../../platform/index.ts';
import { compose, type House } from '../compose.ts';
import { configFrom, type CommonFlags } from '../options.ts';
import { openMigratedStores } from '../open-stores.ts';

/** Opens the installation that the flags name, brings it up to date, lets `work` use it, and closes it again. */
export async function withHouse<T>(flags: CommonFlags, work: (house: House) => Promise<T>): Promise<T> {
  const config = configFrom(flags);
  const log = openLog({ level: 'warn' });
  const stores = await openMigratedStores(config, log);
  try {
    const house = await compose({ config, urls: stores.urls, log });
    try {
      return await work(house);
    } finally {
      await house.close();
    }
  } finally {
    await stores.stop();
  }
}
