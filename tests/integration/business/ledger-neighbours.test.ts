/**
 * Segment: every customer who shares an installation with others.
 * Goal: whatever one organisation is in the middle of, the movements of the others go on.
 * Value: a customer's worst hour is that customer's alone.
 * Strategic impact: one row or one lock that all share is the ceiling of the whole installation; others shipped both.
 *
 * One organisation does everything that it can do in a transaction that stays open: its wallets, grants, holds, line,
 * counters and runs are locked. Then another does the same. A wait would never end, so none is measured.
 * Planted bugs that turn this red: one constant key for the lock of a line's limit, or of admission; a movement that
 * counts on a row that organisations share.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import { issueInvoices, setSeller, writeBillingProfile } from '../../../server/billing/index.ts';
import {
  captureHold,
  checkBooks,
  examineBooks,
  expireGrants,
  extendHold,
  grantCredits,
  moveCredits,
  openWallet,
  placeHold,
  readBalance,
  refundHold,
  settleHold,
} from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { setSpending, subscribe } from '../../../server/plans/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { makeLines } from './ledger-play.ts';

const limit_micro = 1_000_000_000n;
const home = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(home);
  await makeLines(node);
  await setSeller({
    platform: node.platform,
    input: { name: 'Seller', address: 'Damrak 1', country: 'NL', number_prefix: 'NB' },
  });
});

it('M1 while one organisation is in the middle of every movement and an admission, another makes all of them, and its invoice', async () => {
  const [busy, other] = await Promise.all([ready(), ready()]);
  await inside(busy, async (held) => {
    await moveAll(held);
    await moveAll(other);
    await invoice(other);
    // Who examines reads what was committed, and waits for nobody.
    const { breaches } = await examineBooks({ platform: node.platform, input: {} });
    expect(breaches).toEqual([]);
  });
  const found = await Promise.all([busy, other].map((ctx) => readBalance({ ctx, input: {} })));
  expect(found[0], 'both did the same').toEqual(found[1]);
  expect(await checkBooks({ platform: node.platform })).toEqual([]);
});

it('M1 while one organisation’s invoice is written, another makes every movement', async () => {
  const [busy, other] = await Promise.all([ready(), ready()]);
  await inside(busy, async (held) => {
    await invoice(held);
    await moveAll(other);
  });
});

it('M1 while the books are examined, every movement goes on', async () => {
  const ctx = await ready();
  await node.platform.postgres.inSnapshot(30_000, async (tx) => {
    await tx.rows({ text: 'select * from netra.check_books()', values: [] });
    await moveAll(ctx);
    expect(await tx.rows({ text: 'select * from netra.check_books()', values: [] })).toEqual([]);
  });
});

/** A closed period to bill, a line beyond the balance, and caps that are counted. */
async function ready(): Promise<Ctx> {
  const ctx = await node.newOrg();
  await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL' } });
  await subscribe({ ctx, input: { plan: 'early' } });
  await ageSubscription(node, ctx, { periods: 1 });
  await node.owner('insert into netra.test_line values ($1, $2)', [ctx.principal.org_id, limit_micro]);
  return ctx;
}

/** What `work` does with its context happens in one transaction, which ends with it. */
async function inside(ctx: Ctx, work: (held: Ctx) => Promise<void>): Promise<void> {
  const { platform, principal } = ctx;
  await platform.postgres.inOrg(principal.org_id, async (tx) => {
    const postgres = {
      ...platform.postgres,
      call: tx.rows.bind(tx),
      inOrg: <T>(_: string, more: Within<T>) => more(tx),
    };
    await work({ ...ctx, platform: { ...platform, postgres } });
  });
}
type Within<T> = (tx: Parameters<Parameters<Ctx['platform']['postgres']['inOrg']>[1]>[0]) => Promise<T>;

async function invoice({ platform, principal }: Ctx): Promise<void> {
  const issued = await issueInvoices({ platform, org_id: principal.org_id });
  expect(issued).toHaveLength(1);
}

/** Every movement that there is, beyond the balance and under caps as well, and a run that is admitted. */
async function moveAll(ctx: Ctx): Promise<void> {
  const reason = 'neighbour';
  const key = randomUUID();
  await setSpending({ ctx, input: { overage_micro: null, total_micro: limit_micro * 10n, member_micro: null } });
  await grantCredits({ ctx, input: { amount_micro: 1_000n, source: 'adjustment', reason, key } });
  await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
  await moveCredits({ ctx, input: { from: 0, to: 1, amount_micro: 10n, reason, key } });
  const { balance_micro } = await readBalance({ ctx, input: {} });
  // All that is there and some of the line; then more than was held.
  const amount_micro = balance_micro + 100n;
  const { hold_id } = await placeHold({ ctx, input: { amount_micro, reason, key } });
  await extendHold({ ctx, input: { hold_id, by_micro: 100n, key } });
  await captureHold({ ctx, input: { hold_id, amount_micro: 50n, reason, key } });
  await settleHold({ ctx, input: { hold_id, capture_micro: amount_micro + 1_000n, reason, key } });
  await refundHold({ ctx, input: { hold_id, amount_micro: 200n, reason, key } });
  await expireGrants({ ctx, input: {} });
  await admitRun({ ctx, input: { agent: 'rehearsal', input: {}, idempotency_key: key } });
}
