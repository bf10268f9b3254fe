import { parseArgs } from 'node:util';
import { listPaymentEvents, recordPayment } from '../../billing/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  amount: { type: 'string' },
  reference: { type: 'string' },
  flagged: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** `admin payment`: money for an invoice, and what a payment provider told. */
export const payment: AdminCommand = {
  usage: [
    'payment record NUMBER --amount USD --reference R [--json] [--data DIR]',
    'payment events [--flagged] [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [verb, number, ...rest] = positionals;
    if (verb === 'events' && number === undefined) {
      const input = { state: values.flagged === true ? 'flagged' : null } as const;
      const events = await withHouse(values, ({ platform }) => listPaymentEvents({ platform, input }));
      printAnswer(values.json, { events }, () =>
        events.map((event) => `${event.event_id} ${event.state.padEnd(9)} ${event.type}  ${event.note}\n`).join(''),
      );
      return 0;
    }
    if (verb !== 'record' || number === undefined || rest.length > 0) throw wrongUsage(payment);
    const { amount: amount_usd = '', reference = '' } = values;
    const input = { number, amount_usd, reference, by: 'operator' };
    const recorded = await withHouse(values, ({ platform }) => recordPayment({ platform, input }));
    printAnswer(values.json, recorded, () => `${recorded.state}; still to pay: ${recorded.balance_usd} USD\n`);
    return 0;
  },
};
