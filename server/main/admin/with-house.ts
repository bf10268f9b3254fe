import { migrateUp } from '../../platform/index.ts';
import { compose, type House } from '../compose.ts';
import type { CommonFlags } from '../options.ts';
import { withStores } from '../with-stores.ts';

/** Opens the installation that the flags name, brings it up to date, lets `work` use it, and closes it again. */
export function withHouse<T>(flags: CommonFlags, work: (house: House) => Promise<T>): Promise<T> {
  return withStores(flags, 'warn', async (open) => {
    await migrateUp(open);
    const house = await compose(open);
    try {
      return await work(house);
    } finally {
      await house.close();
    }
  });
}
