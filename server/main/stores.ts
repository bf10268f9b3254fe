import { parseArgs } from 'node:util';
import { openEmbeddedStores, openLog } from '../platform/index.ts';
import { untilTold } from './until-told.ts';

/** `stores --data DIR`: the embedded stores alone, until SIGTERM or the end of stdin. For tests and benchmarks. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { data: { type: 'string' } } });
  if (values.data === undefined) throw new Error('stores: --data DIR is required');
  const log = openLog({ level: 'warn' });
  const stores = await openEmbeddedStores({ data_dir: values.data, log, need: ['postgres', 'clickhouse'] });
  const { postgres_url, clickhouse_url } = stores;
  process.stdout.write(`${JSON.stringify({ type: 'stores', postgres_url, clickhouse_url })}\n`);
  await untilTold();
  await stores.stop();
  return 0;
}
