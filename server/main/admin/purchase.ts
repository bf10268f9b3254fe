import { parseArgs } from 'node:util';
import { findPurchases, refundPurchase, settlePurchase, type PurchaseRow } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  state: { type: 'string' },
  amount: { type: 'string' },
  reference: { type: 'string' },
  reason: { type: 'string' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], allowPositionals: true, options });
}

/** `admin purchase`: who asked for credits, that the money has come, and that it goes back. */
export const purchase: AdminCommand = {
  usage: [
    'purchase list [--state pending|paid|cancelled|refunded] [--json] [--data DIR]',
    'purchase paid ID --amount USD --reference R [--json] [--data DIR]',
    'purchase refund ID --reason TEXT [--reference R] [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parse(args);
    const [verb, id, ...rest] = positionals;
    if (rest.length > 0) throw wrongUsage(purchase);
    if (verb === 'list' && id === undefined) return list(values);
    if (verb === 'paid' && id !== undefined) return paid(id, values);
    if (verb === 'refund' && id !== undefined) return refund(id, values);
    throw wrongUsage(purchase);
  },
};

async function list(values: Values): Promise<number> {
  const state = (values.state ?? null) as PurchaseRow['state'] | null;
  const purchases = await withHouse(values, ({ platform }) => findPurchases({ platform, input: { state } }));
  printAnswer(values.json, { purchases }, () =>
    purchases
      .map(
        (row) =>
          `${row.purchase_id} ${row.state.padEnd(9)} ${row.total_usd.padStart(10)} USD  ${row.pack_id}  org ${row.org_id}\n`,
      )
      .join(''),
  );
  return 0;
}

async function paid(purchase_id: string, values: Values): Promise<number> {
  const { amount: amount_usd = '', reference = '' } = values;
  const input = { purchase_id, amount_usd, reference, by: 'operator' };
  const settled = await withHouse(values, ({ platform }) => settlePurchase({ platform, input }));
  printAnswer(values.json, settled, () =>
    settled.settled ? 'paid; the credits are granted\n' : `was paid before, by ${settled.payment_ref}\n`,
  );
  return 0;
}

async function refund(purchase_id: string, values: Values): Promise<number> {
  const { reason = '', reference } = values;
  const input = { purchase_id, reason, by: 'operator', ...(reference === undefined ? {} : { reference }) };
  const done = await withHouse(values, ({ platform }) => refundPurchase({ platform, input }));
  printAnswer(
    values.json,
    done,
    () => `${done.total_usd} USD go back; ${done.revoked_micro} micro-credits were unspent and are taken back\n`,
  );
  return 0;
}
