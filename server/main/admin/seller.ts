import { parseArgs } from 'node:util';
import { readSeller, setSeller, type SetSellerInput } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  id: { type: 'string' },
  name: { type: 'string' },
  address: { type: 'string' },
  country: { type: 'string' },
  'tax-id': { type: 'string' },
  prefix: { type: 'string' },
  terms: { type: 'string' },
  notes: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `admin seller`: who sells, as it stands on invoices. Without one nothing is invoiced. */
export const seller: AdminCommand = {
  usage: [
    'seller set --name N --address LINES --country CC --prefix P [--tax-id ID] [--terms DAYS] [--notes TEXT] [--id ID]',
    'seller show [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const verb = positionals.join(' ');
    if (verb !== 'set' && verb !== 'show') throw wrongUsage(seller);
    const shown = await withHouse(values, async ({ platform }) => {
      if (verb === 'set') await setSeller({ platform, input: given(values) });
      return readSeller({ platform });
    });
    printAnswer(values.json, { seller: shown }, () =>
      shown === null
        ? 'There is no seller yet: nothing is invoiced.\n'
        : `${Object.entries(shown)
            .map(([name, value]) => `${name.padEnd(14)} ${value ?? ''}`)
            .join('\n')}\n`,
    );
    return 0;
  },
};

/** As typed; what is missing or wrong is named by the verb. A shell's `\n` in an address is a new line. */
function given(values: { readonly [name in keyof typeof options]?: string | boolean | undefined }): SetSellerInput {
  const { id, name, address, country, 'tax-id': tax_id, prefix, terms, notes } = values;
  const lines = (text: string | boolean | undefined): string => String(text ?? '').replaceAll('\\n', '\n');
  return {
    ...(id === undefined ? {} : { seller_id: String(id) }),
    name: String(name ?? ''),
    address: lines(address),
    country: String(country ?? ''),
    tax_id: tax_id === undefined ? null : String(tax_id),
    number_prefix: String(prefix ?? ''),
    ...(terms === undefined ? {} : { terms_days: Number(terms) }),
    notes: lines(notes),
  };
}
