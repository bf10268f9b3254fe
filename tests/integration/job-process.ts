/** A node that begins with the job that it is told of, and never ends: to be killed. Says when it works. */
import { loadConfig, openPlatform } from '../../server/platform/index.ts';
import { startJobs } from '../../server/work/index.ts';

interface Told {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  readonly name: string;
}

const { name, ...urls } = JSON.parse(process.argv[2] ?? '') as Told;
const platform = await openPlatform({ config: loadConfig(), urls, role: 'app' });
const run = (): Promise<never> => {
  process.stdout.write(`${JSON.stringify({ type: 'working' })}\n`);
  return new Promise(() => undefined);
};
await startJobs({ platform, schedules: [{ name, cron: '0 0 1 1 *', run }] });
