import type { Suite } from '@netra/testkit';
import { NetraError } from '@netra/contract';
import { readBalance } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { subscribe } from '../../../../server/plans/index.ts';
import { openLedger, type LedgerNode } from '../../ledger-node.ts';
import type { Plan } from '../plan-table.ts';

/** What the tests of credits stand on: one node on the suite's stores, and organisations on a plan. */
export interface Stage {
  readonly node: LedgerNode;
  onPlan(plan: Plan): Promise<Ctx>;
}

/** For `beforeAll`; closed with the suite. */
export async function openStage(on: Suite): Promise<Stage> {
  const node = await openLedger(on);
  return {
    node,
    async onPlan(plan) {
      const ctx = await node.newOrg();
      await subscribe({ ctx, input: { plan } });
      return ctx;
    },
  };
}

export async function balance(ctx: Ctx): Promise<bigint> {
  return (await readBalance({ ctx, input: {} })).balance_micro;
}

/** The refusal that a call must end in. */
export async function refusal(call: Promise<unknown>): Promise<NetraError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof NetraError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
