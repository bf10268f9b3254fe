import { parseArgs } from 'node:util';
import { currentPrices, importPrices, listModelPrices, retirePrices, showPrices } from '../../billing/index.ts';
import { commonOptions } from '../options.ts';
import { bookCommand } from './book-command.ts';
import { describeDifferences, editorName, momentOf, readEditorFile } from './editor.ts';
import { printAnswer } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  by: { type: 'string' },
  from: { type: 'string' },
  provider: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];
const parse = (args: readonly string[]) => parseArgs({ args: [...args], allowPositionals: true, options });

/** `admin price`: what model tokens cost. An import stands over the published prices, now or from its day on. */
export const price = bookCommand({
  usage: [
    'price list [--provider P] [--json] [--data DIR]',
    'price show MODEL [--json] [--data DIR]',
    'price import FILE.csv|FILE.json [--dry-run] [--by NAME] [--json] [--data DIR]',
    'price retire PROVIDER/MODEL [--from TIME] [--by NAME] [--json] [--data DIR]',
  ],
  parse,
  list,
  show,
  importFile,
  retire,
});

async function list(values: Values): Promise<number> {
  const prices = await withHouse(values, async ({ platform }) =>
    listModelPrices(new Date(platform.clock.nowMs()), await currentPrices(platform)),
  );
  const shown = prices.filter(({ provider }) => values.provider === undefined || provider === values.provider);
  printAnswer(values.json, { prices: shown }, () =>
    shown
      .map(
        ({ provider, model, input_usd_mtok, output_usd_mtok }) =>
          `${`${provider}/${model}`.padEnd(60)} in $${input_usd_mtok}  out $${output_usd_mtok} a million\n`,
      )
      .join(''),
  );
  return 0;
}

async function show(values: Values, name: string): Promise<number> {
  const shown = await withHouse(values, ({ platform }) => showPrices({ platform, input: { name } }));
  printAnswer(values.json, shown, () =>
    [
      `${shown.model} in ${shown.price_book}`,
      ...shown.prices.map(({ kind, valid_from, above_tokens, usd_mtok, own }) => {
        const since = valid_from === '0001-01-01' ? 'always' : `from ${valid_from}`;
        const tier = above_tokens === 0 ? '' : `, above ${above_tokens} tokens`;
        return `${kind.padEnd(13)} ${since}${tier}  $${usd_mtok} a million${own ? '  (own)' : ''}`;
      }),
      ...shown.changes.map(
        ({ at, changed_by, subject, action, valid_from }) =>
          `${at.toISOString()} ${changed_by}: ${action} ${subject}, from ${valid_from.toISOString()}`,
      ),
      '',
    ].join('\n'),
  );
  return 0;
}

async function importFile(values: Values, path: string): Promise<number> {
  const text = await readEditorFile(path);
  const dry_run = values['dry-run'] === true;
  const format = path.toLowerCase().endsWith('.csv') ? 'csv' : 'json';
  const differences = await withHouse(values, ({ platform }) =>
    importPrices({ platform, input: { text, format, by: editorName(values.by), dry_run } }),
  );
  printAnswer(values.json, { dry_run, differences }, () => describeDifferences(differences.map(asText), dry_run));
  return 0;
}

async function retire(values: Values, model: string): Promise<number> {
  const from = values.from === undefined ? null : momentOf(values.from);
  const differences = await withHouse(values, ({ platform }) =>
    retirePrices({ platform, input: { model, by: editorName(values.by), from } }),
  );
  printAnswer(values.json, { differences }, () => describeDifferences(differences.map(asText), false));
  return 0;
}

type Difference = Awaited<ReturnType<typeof importPrices>>[number];

/** `usd_mtok 2.5 → 3`: the subject names the rest. */
function asText({ before, row, ...difference }: Difference) {
  const text = ({ tiers }: Pick<typeof row, 'tiers'>): string =>
    tiers.map((tier) => `${tier.above_tokens === 0 ? '' : `above ${tier.above_tokens}: `}${tier.usd_mtok}`).join(', ');
  return {
    ...difference,
    before: before === null ? null : { usd_mtok: text(before) },
    row: { usd_mtok: row.tiers.length === 0 ? 'as published' : text(row) },
  };
}
