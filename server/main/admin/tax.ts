import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { importTaxRates, listTaxRates } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = { ...commonOptions, json: { type: 'boolean' } } as const;

/** `admin tax`: the dated rates by country. */
export const tax: AdminCommand = {
  usage: ['tax list [--json] [--data DIR]', 'tax import FILE [--json] [--data DIR]'],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [verb, file, ...rest] = positionals;
    if (verb === 'list' && file === undefined) {
      const rates = await withHouse(values, ({ platform }) => listTaxRates({ platform }));
      printAnswer(values.json, { rates }, () =>
        rates
          .map(
            (r) =>
              `${r.country} ${r.valid_from} ${r.rate} ${r.name}${r.eu ? ' (EU)' : ''}, ${
                r.checked_on === null ? 'NOT CHECKED' : `checked on ${r.checked_on}`
              }: ${r.source}\n`,
          )
          .join(''),
      );
      return 0;
    }
    if (verb !== 'import' || file === undefined || rest.length > 0) throw wrongUsage(tax);
    const csv = await readFile(file, 'utf8');
    const done = await withHouse(values, ({ platform }) => importTaxRates({ platform, input: { csv } }));
    printAnswer(values.json, done, () => `${done.changed} rates are new or changed\n`);
    return 0;
  },
};
