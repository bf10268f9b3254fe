import { parseArgs } from 'node:util';
import { listUsageRetentions, setUsageRetention } from '../../analytics/index.ts';
import { listRetentions, setRetention } from '../../runs/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { editorName, momentOf } from './editor.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  by: { type: 'string' },
  plan: { type: 'string' },
  days: { type: 'string' },
  'usage-days': { type: 'string' },
  from: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `admin retention`: how long a plan keeps the events of runs that have ended, and what calls were in analytics. */
export const retention: AdminCommand = {
  usage: [
    'retention set --plan P --days N|forever [--from WHEN] [--by NAME] [--json] [--data DIR]',
    'retention set --plan P --usage-days N|forever [--from WHEN] [--by NAME] [--json] [--data DIR]',
    'retention list [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const verb = positionals.join(' ');
    const { plan, days, from, by, json } = values;
    if (verb === 'list') {
      const [retentions, usage] = await withHouse(values, ({ platform }) =>
        Promise.all([listRetentions({ platform }), listUsageRetentions({ platform })]),
      );
      printAnswer(json, { retentions, usage_retentions: usage }, () => [...retentions, ...usage].map(tell).join(''));
      return 0;
    }
    const usageDays = values['usage-days'];
    const asked = days ?? usageDays;
    if (verb !== 'set' || plan === undefined || asked === undefined || (days !== undefined && usageDays !== undefined))
      throw wrongUsage(retention);
    const kept = asked === 'forever' ? null : Number(asked);
    const said = { by: editorName(by), plan, ...(from === undefined ? {} : { from: momentOf(from) }) };
    const { valid_from } = await withHouse(values, ({ platform }) =>
      days === undefined
        ? setUsageRetention({ platform, input: { ...said, usage_days: kept } })
        : setRetention({ platform, input: { ...said, event_days: kept } }),
    );
    const row = { plan_id: plan, valid_from, ...(days === undefined ? { usage_days: kept } : { event_days: kept }) };
    printAnswer(json, row, () => tell(row));
    return 0;
  },
};

function tell(row: {
  readonly plan_id: string;
  readonly valid_from: Date;
  readonly event_days?: number | null;
  readonly usage_days?: number | null;
}): string {
  const what = row.event_days === undefined ? 'usage is' : 'events are';
  const days = row.event_days === undefined ? row.usage_days : row.event_days;
  const kept = days === null || days === undefined ? 'for ever' : `${days} days`;
  return `${row.plan_id.padEnd(16)} from ${row.valid_from.toISOString()}  ${what} kept ${kept}\n`;
}
