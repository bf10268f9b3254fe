import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { importPacks, listPacks } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = { ...commonOptions, json: { type: 'boolean' } } as const;

/** `admin pack`: the packs of credits that are sold, as dated data. */
export const pack: AdminCommand = {
  usage: ['pack list [--json] [--data DIR]', 'pack import FILE [--json] [--data DIR]'],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [verb, file, ...rest] = positionals;
    if (verb === 'list' && file === undefined) {
      const packs = await withHouse(values, ({ platform }) => listPacks({ platform }));
      printAnswer(values.json, { packs }, () =>
        packs
          .map(({ pack_id, name, price_usd }) => `${pack_id.padEnd(16)} ${price_usd.padStart(12)} USD  ${name}\n`)
          .join(''),
      );
      return 0;
    }
    if (verb !== 'import' || file === undefined || rest.length > 0) throw wrongUsage(pack);
    const text = await readFile(file, 'utf8');
    const added = await withHouse(values, ({ platform }) => importPacks({ platform, text }));
    printAnswer(values.json, added, () => `${added.added} added\n`);
    return 0;
  },
};
