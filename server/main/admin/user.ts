import { parseArgs } from 'node:util';
import { systemIds } from '../../platform/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  email: { type: 'string' },
  org: { type: 'string' },
  plan: { type: 'string' },
  ttl: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `admin user create`: a user who owns an organisation on a plan, and a token for them. */
export const user: AdminCommand = {
  usage: ['user create --email E --org NAME --plan PLAN [--ttl SECONDS] [--json] [--data DIR]'],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    if (positionals.join(' ') !== 'create') throw wrongUsage(user);
    const { email, org, plan = 'free', ttl } = values;
    const input = { email, org, plan, ...(ttl === undefined ? {} : { ttl_s: Number(ttl) }) };
    const created = await withHouse(values, ({ accounts }) =>
      accounts.createUserByOperator({ trace_id: systemIds.uuid(), input }),
    );
    printAnswer(values.json, created, () =>
      [`organisation ${created.org}`, `user         ${created.user}`, `token        ${created.token}`, ''].join('\n'),
    );
    return 0;
  },
};
