import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { planName } from '../schemas.ts';
import { changeBook } from './change-book.ts';
import { planTerms, type BookDifference } from './compare-book.ts';
import { readPlanBook } from './read-plan-book.ts';

const input = z.object({
  plan: planName,
  by: z.string().min(1).max(200),
  /** Null = now. */
  from: z.date().nullable().default(null),
});
export type RetirePlanInput = z.input<typeof input>;

/**
 * Takes a plan off sale: who is on it stays, nobody new gets it. Importing it again puts it back. Answers null if it
 * was off sale already. Throws `not_found`, and `conflict` for the plan that this installation signs up on.
 */
export async function retirePlan({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: RetirePlanInput;
}): Promise<BookDifference | null> {
  const { plan, by, from } = parseInput(input, raw);
  if (plan === platform.config.signup_plan) {
    throw new NetraError('conflict', `New organisations sign up on ${plan} (NETRA_SIGNUP_PLAN): it stays on sale.`);
  }
  const book = await readPlanBook({ platform });
  const at_ms = (from ?? book.now).getTime();
  if (at_ms < book.now.getTime()) throw new NetraError('invalid_request', 'A plan is retired now or later.');
  const rows = book.plans.filter(({ plan_id }) => plan_id === plan);
  const last = rows.findLast(({ valid_from }) => valid_from.getTime() <= at_ms);
  if (last === undefined) throw new NetraError('not_found', `There is no plan ${plan}.`, { plan });
  if (rows.some(({ valid_from }) => valid_from.getTime() > at_ms)) {
    throw new NetraError('conflict', `Other terms of ${plan} are planned for later: they would put it back on sale.`);
  }
  if (!last.on_sale) return null;
  const before = planTerms(last);
  const row = { ...before, on_sale: false };
  const change: BookDifference = { book: 'plan', subject: plan, valid_from: from, action: 'retire', before, row };
  await changeBook({ platform, input: { by, revision: book.revision, changes: [change] } });
  return change;
}
