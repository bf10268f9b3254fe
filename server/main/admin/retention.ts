import { parseArgs } from 'node:util';
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
  from: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `admin retention`: how long a plan keeps the events of runs that have ended. */
export const retention: AdminCommand = {
  usage: [
    'retention set --plan P --days N|forever [--from WHEN] [--by NAME] [--json] [--data DIR]',
    'retention list [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const verb = positionals.join(' ');
    const { plan, days, from, by, json } = values;
    if (verb === 'list') {
      const rows = await withHouse(values, ({ platform }) => listRetentions({ platform }));
      printAnswer(json, { retentions: rows }, () => rows.map(tell).join(''));
      return 0;
    }
    if (verb !== 'set' || plan === undefined || days === undefined) throw wrongUsage(retention);
    const input = {
      by: editorName(by),
      plan,
      event_days: days === 'forever' ? null : Number(days),
      ...(from === undefined ? {} : { from: momentOf(from) }),
    };
    const { valid_from } = await withHouse(values, ({ platform }) => setRetention({ platform, input }));
    const row = { plan_id: plan, valid_from, event_days: input.event_days };
    printAnswer(json, row, () => tell(row));
    return 0;
  },
};

function tell(row: {
  readonly plan_id: string;
  readonly valid_from: Date;
  readonly event_days: number | null;
}): string {
  const kept = row.event_days === null ? 'for ever' : `${row.event_days} days`;
  return `${row.plan_id.padEnd(16)} from ${row.valid_from.toISOString()}  events are kept ${kept}\n`;
}
