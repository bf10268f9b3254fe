import { parseArgs } from 'node:util';
import { z } from 'zod';
import { checkSettled, type SettledReport } from '../../analytics/index.ts';
import { parseInput } from '../../platform/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { withHouse } from './with-house.ts';

const options = { ...commonOptions, org: { type: 'string' }, json: { type: 'boolean' } } as const;
const input = z.object({ org: z.uuid().optional() });

/** `admin reconcile`: what PostgreSQL settled beside what ClickHouse sums, by organisation and day. Exit code 1 if they differ. */
export const reconcile: AdminCommand = {
  usage: ['reconcile [--org ORG] [--json] [--data DIR]'],
  async run(args) {
    const { values } = parseArgs({ args: [...args], options });
    const { org: org_id } = parseInput(input, { org: values.org });
    const report = await withHouse(values, ({ platform }) => checkSettled({ platform, input: { org_id } }));
    process.stdout.write(values.json === true ? `${JSON.stringify(report)}\n` : asText(report));
    return report.days.length === 0 ? 0 : 1;
  },
};

function asText({ organisations, waiting, days, faults }: SettledReport): string {
  const lines = days.map(({ org_id, day, settled_micro, summed_micro, settled_rows, summed_rows }) => {
    const difference = BigInt(summed_micro) - BigInt(settled_micro);
    return `${org_id} ${day} settled=${settled_micro} summed=${summed_micro} difference=${difference} rows=${settled_rows}/${summed_rows}`;
  });
  const rows = faults.map(
    ({ fault, key, expected, found }) =>
      `  ${fault} run=${String(key['run_id'])} event=${String(key['event_id'])} expected=${expected} found=${found}`,
  );
  const total = `${organisations} organisations, ${waiting} not compared (charges on their way), ${days.length} days differ`;
  return `${[...lines, ...rows, total].join('\n')}\n`;
}
