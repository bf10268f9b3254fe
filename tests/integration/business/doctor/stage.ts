import type { Suite } from '@netra/testkit';
import { pumpOutbox } from '../../../../server/analytics/index.ts';
import {
  captureHold,
  extendHold,
  grantCredits,
  moveCredits,
  openWallet,
  placeHold,
  refundHold,
  settleHold,
} from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { openAgents, type AgentsNode } from '../../agents-node.ts';

const credit = 1_000_000n;

/** An organisation in which something of every kind has happened, and where in its history. */
export interface Patient {
  readonly org_id: string;
  /** The hold that was settled and partly refunded, and the one that is still active. */
  readonly settled: string;
  readonly active: string;
  /** A run that has ended. */
  readonly run: string;
}

export interface Stage {
  readonly node: AgentsNode;
  newPatient(): Promise<Patient>;
}

/** The wallet's versions that newPatient() writes. */
export const versions = {
  plan: 1,
  promotion: 2,
  hold: 3,
  settle: 4,
  place: 5,
  extend: 6,
  capture: 7,
  refund: 8,
  move: 9,
  /** The run's hold and its settlement. */
  run: 10,
  last: 11,
} as const;

export async function openStage(on: Suite): Promise<Stage> {
  const node = await openAgents(on);
  node.worker.start();
  return {
    node,
    async newPatient() {
      const ctx = await node.newOrg('mid');
      const holds = await moveCreditsAbout(ctx);
      const run = await node.ask(ctx, 'rehearsal', {});
      await node.ended(ctx, run);
      await pumpOutbox({ platform: node.platform });
      return { org_id: ctx.principal.org_id, run, ...holds };
    },
  };
}

async function moveCreditsAbout(ctx: Ctx): Promise<{ readonly settled: string; readonly active: string }> {
  const words = { reason: 'test', agent: 'rehearsal' } as const;
  const promotion = { amount_micro: 50n * credit, source: 'promotion', reason: 'test', key: 'promotion' } as const;
  await grantCredits({ ctx, input: promotion });
  const { hold_id: settled } = await placeHold({ ctx, input: { amount_micro: 10n * credit, ...words, key: 'a' } });
  await settleHold({ ctx, input: { hold_id: settled, capture_micro: 7n * credit, reason: 'test', key: 'a' } });
  const { hold_id: active } = await placeHold({ ctx, input: { amount_micro: 20n * credit, ...words, key: 'b' } });
  await extendHold({ ctx, input: { hold_id: active, by_micro: 5n * credit, key: 'b' } });
  await captureHold({ ctx, input: { hold_id: active, amount_micro: 4n * credit, reason: 'test', key: 'b' } });
  await refundHold({ ctx, input: { hold_id: settled, amount_micro: 2n * credit, reason: 'test', key: 'a' } });
  await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
  await moveCredits({ ctx, input: { from: 0, to: 1, amount_micro: 5n * credit, reason: 'test', key: 'm' } });
  return { settled, active };
}
