import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import { openLog, systemIds } from '../platform/index.ts';
import { compose } from './compose.ts';
import { commonOptions, configFrom } from './options.ts';
import { openMigratedStores } from './open-stores.ts';

const usage = 'admin user create --email E --org NAME --plan PLAN [--ttl SECONDS] [--json] [--data DIR]';

/** `admin user create`: a user who owns an organisation on a plan, and a token for them. Works beside a server. */
export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...commonOptions,
      email: { type: 'string' },
      org: { type: 'string' },
      plan: { type: 'string' },
      ttl: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  if (positionals.join(' ') !== 'user create') throw new NetraError('invalid_request', `Usage: netra ${usage}`);
  const config = configFrom(values);
  const log = openLog({ level: 'warn' });
  const stores = await openMigratedStores(config, log);
  try {
    const house = await compose({ config, urls: stores.urls, log });
    try {
      const { email, org, plan = 'free', ttl } = values;
      const input = { email, org, plan, ...(ttl === undefined ? {} : { ttl_s: Number(ttl) }) };
      const created = await house.accounts.createUserByOperator({ trace_id: systemIds.uuid(), input });
      process.stdout.write(values.json === true ? `${JSON.stringify(created)}\n` : describe(created));
    } finally {
      await house.close();
    }
  } finally {
    await stores.stop();
  }
  return 0;
}

function describe(created: { readonly org: string; readonly user: string; readonly token: string }): string {
  return `organisation ${created.org}\nuser         ${created.user}\ntoken        ${created.token}\n`;
}
