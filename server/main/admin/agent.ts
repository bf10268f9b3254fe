import { parseArgs } from 'node:util';
import { changeBook, listAgentOffers, offerAgent, readPlanBook, toCredits, toMicro } from '../../plans/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { editorName } from './editor.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  by: { type: 'string' },
  fee: { type: 'string' },
  plans: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `admin agent`: what the agents of the agents folder cost, and which plans have them. */
export const agent: AdminCommand = {
  usage: [
    'agent list [--json] [--data DIR]',
    'agent set NAME [--fee CREDITS] [--plans all|none|a,b] [--by NAME] [--json] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [verb, name, ...more] = positionals;
    const { fee, plans, json } = values;
    const by = editorName(values.by);
    if (verb === 'set' && name !== undefined && more.length === 0 && (fee ?? plans) !== undefined) {
      if (fee !== undefined && !/^\d{1,9}(\.\d{1,6})?$/.test(fee)) throw wrongUsage(agent);
      await withHouse(values, async ({ platform }) => {
        if (plans !== undefined) await offerAgent({ platform, input: { agent: name, plans: plansOf(plans), by } });
        if (fee !== undefined) await setFee(platform, name, toMicro(fee), by);
      });
    } else if (verb !== 'list' || name !== undefined) {
      throw wrongUsage(agent);
    }
    const offers = await withHouse(values, ({ platform }) => listAgentOffers({ platform }));
    const rows = offers.map((offer) => ({ ...offer, fee_credits: toCredits(offer.fee_micro) }));
    printAnswer(json, { agents: rows }, () =>
      rows
        .map(
          ({ agent: each, fee_credits, plans: of }) =>
            `${each.padEnd(24)} ${fee_credits.padStart(10)} credits  ${of === null ? 'every plan' : of.join(', ') || 'as the plans say'}\n`,
        )
        .join(''),
    );
    return 0;
  },
};

function plansOf(text: string): string[] | null {
  if (text === 'all') return null;
  return text === 'none' ? [] : text.split(',').map((each) => each.trim());
}

async function setFee(
  platform: Parameters<typeof readPlanBook>[0]['platform'],
  name: string,
  fee_micro: bigint,
  by: string,
): Promise<void> {
  const { revision, fees, now } = await readPlanBook({ platform });
  const before = fees.findLast((each) => each.agent === name && each.valid_from <= now);
  const row = { agent: name, fee_micro: `${fee_micro}` };
  const was = before === undefined ? null : { agent: name, fee_micro: `${before.fee_micro}` };
  const change = { book: 'fee', subject: name, valid_from: null, action: 'add', before: was, row };
  await changeBook({ platform, input: { by, revision, changes: [change] } });
}
