import { parseArgs } from 'node:util';
import { z } from 'zod';
import { listWallets, moveCredits, openWallet, type Wallet } from '../../ledger/index.ts';
import { parseInput, systemIds, type Ctx, type Platform } from '../../platform/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  org: { type: 'string' },
  wallet: { type: 'string' },
  name: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  credits: { type: 'string' },
  reason: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const org = z.uuid();
const number = z.coerce.number().int().min(0);
const words = {
  list: z.object({ org }),
  open: z.object({ org, wallet: number, name: z.string() }),
  move: z.object({
    org,
    from: number,
    to: number,
    credits: z.string().regex(/^\d{1,10}(\.\d{1,6})?$/, 'credits, with up to 6 decimals'),
    reason: z.string(),
    key: z.string(),
  }),
};

/** `admin wallet …`: further wallets of an organisation (a team, a project), and credits moved between them. */
export const wallet: AdminCommand = {
  usage: [
    'wallet list --org ORG [--json] [--data DIR]',
    'wallet open --org ORG --wallet NUMBER --name NAME [--json] [--data DIR]',
    'wallet move --org ORG --from NUMBER --to NUMBER --credits N --reason TEXT --key KEY [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const wallets = await withHouse(values, ({ platform }) => {
      switch (positionals.join(' ')) {
        case 'list':
          return listWallets({ ctx: operatorOf(platform, parseInput(words.list, values).org), input: {} });
        case 'open':
          return open(platform, parseInput(words.open, values));
        case 'move':
          return move(platform, parseInput(words.move, values));
        default:
          throw wrongUsage(wallet);
      }
    });
    printAnswer(values.json, { wallets }, () => wallets.map(toLine).join(''));
    return 0;
  },
};

async function open(platform: Platform, input: z.output<typeof words.open>): Promise<readonly Wallet[]> {
  const ctx = operatorOf(platform, input.org);
  await openWallet({ ctx, input: { wallet: input.wallet, name: input.name } });
  return listWallets({ ctx, input: {} });
}

async function move(platform: Platform, input: z.output<typeof words.move>): Promise<readonly Wallet[]> {
  const { org: of, credits, ...rest } = input;
  const ctx = operatorOf(platform, of);
  const [whole = '0', part = ''] = credits.split('.');
  const amount_micro = BigInt(whole) * 1_000_000n + BigInt(part.padEnd(6, '0'));
  await moveCredits({ ctx, input: { ...rest, amount_micro } });
  return listWallets({ ctx, input: {} });
}

function operatorOf(platform: Platform, org_id: string): Ctx {
  const principal = { org_id, user_id: 'operator', role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return { platform, principal, trace_id: systemIds.uuid() };
}

function toLine({ wallet: place, name, balance_micro, held_micro, debt_micro }: Wallet): string {
  const more = debt_micro > 0n ? `, owes ${inCredits(debt_micro)}` : '';
  return `${place}  ${name ?? "the organisation's own"}  ${inCredits(balance_micro)} credits, ${inCredits(held_micro)} held${more}\n`;
}

/** Exact, without trailing zeros. */
function inCredits(micro: bigint): string {
  const part = (micro % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  return `${micro / 1_000_000n}${part === '' ? '' : `.${part}`}`;
}
