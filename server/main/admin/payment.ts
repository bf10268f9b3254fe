import { parseArgs } from 'node:util';
import { findPayments, listPaymentEvents, recordPayment, reversePayment } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  amount: { type: 'string' },
  reference: { type: 'string' },
  reason: { type: 'string' },
  flagged: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], allowPositionals: true, options });
}

/** `admin payment`: what came and went back, money for an invoice, and what a payment provider told. */
export const payment: AdminCommand = {
  usage: [
    'payment list [--json] [--data DIR]',
    'payment record NUMBER --amount USD --reference R [--json] [--data DIR]',
    'payment reverse ID --amount USD --reference R --reason TEXT [--json] [--data DIR]',
    'payment events [--flagged] [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parse(args);
    const [verb, named, ...rest] = positionals;
    if (rest.length > 0) throw wrongUsage(payment);
    if (verb === 'list' && named === undefined) return list(values);
    if (verb === 'events' && named === undefined) return events(values);
    if (verb === 'record' && named !== undefined) return record(named, values);
    if (verb === 'reverse' && named !== undefined) return reverse(named, values);
    throw wrongUsage(payment);
  },
};

async function list(values: Values): Promise<number> {
  const payments = await withHouse(values, ({ platform }) => findPayments({ platform, input: {} }));
  printAnswer(values.json, { payments }, () =>
    payments
      .map(
        ({ payment_id, kind, amount_usd, provider, provider_ref, org_id, ...of }) =>
          `${payment_id} ${kind.padEnd(8)} ${amount_usd.padStart(10)} USD  ${provider} ${provider_ref}  ` +
          `${of.purchase_id ? 'purchase' : of.invoice_id ? 'invoice' : 'plan'}  org ${org_id}\n`,
      )
      .join(''),
  );
  return 0;
}

async function events(values: Values): Promise<number> {
  const input = { state: values.flagged === true ? 'flagged' : null } as const;
  const told = await withHouse(values, ({ platform }) => listPaymentEvents({ platform, input }));
  printAnswer(values.json, { events: told }, () =>
    told.map((event) => `${event.event_id} ${event.state.padEnd(9)} ${event.type}  ${event.note}\n`).join(''),
  );
  return 0;
}

async function record(number: string, values: Values): Promise<number> {
  const { amount: amount_usd = '', reference = '' } = values;
  const input = { number, amount_usd, reference, by: 'operator' };
  const recorded = await withHouse(values, ({ platform }) => recordPayment({ platform, input }));
  printAnswer(values.json, recorded, () => `${recorded.state}; still to pay: ${recorded.balance_usd} USD\n`);
  return 0;
}

async function reverse(payment_id: string, values: Values): Promise<number> {
  const { amount: amount_usd = '', reference = '', reason = '' } = values;
  const input = { payment_id, amount_usd, reference, reason, by: 'operator' };
  const done = await withHouse(values, ({ platform }) => reversePayment({ platform, input }));
  printAnswer(values.json, done, () => (done.reversed ? 'recorded\n' : 'was recorded before\n'));
  return 0;
}
