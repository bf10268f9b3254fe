/**
 * Segment: whoever pays, and does not want to be surprised
 * Goal: a notice at 50, 80 and 100 % of what was bought and of each cap, exactly once a period
 * Value: time to act before work stops
 * Strategic impact: spending can be left alone
 */
import { randomUUID } from 'node:crypto';
import { eventually, startServer, suite } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { pumpOutbox } from '../../../server/analytics/index.ts';
import { placeHold, refundHold, settleHold } from '../../../server/ledger/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { createWebhook, noteThresholds } from '../../../server/webhooks/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { openReceiver } from './receiver.ts';

const own = suite();
const secret = 'only for tests: 32 bytes and then some more';
let node: LedgerNode;

beforeAll(async () => {
  node = await openLedger({ ...own, env: { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on' } });
});

async function onPlan(plan: 'free' | 'early'): Promise<Ctx> {
  const ctx = await node.newOrg();
  await subscribe({ ctx, input: { plan } });
  return ctx;
}

async function spend(ctx: Ctx, credits: bigint, user_id: string | null = null): Promise<string> {
  const amount_micro = credits * credit;
  const [reason, key] = ['test', randomUUID()];
  const { hold_id } = await placeHold({ ctx, input: { amount_micro, reason, key, user_id } });
  await settleHold({ ctx, input: { hold_id, capture_micro: amount_micro, reason, key } });
  return hold_id;
}

const note = ({ principal }: Ctx): Promise<void> =>
  noteThresholds({ platform: node.platform, org_ids: [principal.org_id] });

/** What was told, in order: the events, which endpoints get, and the notices beside them. */
async function told({ principal }: Ctx): Promise<readonly string[]> {
  const text = `select data ->> 'subject' || coalesce(' ' || (data ->> 'user'), '') || ' ' || (data ->> 'threshold') as told
                  from netra.webhook_event where org_id = $1 and type = 'credits.threshold' order by ordinal`;
  return (await node.owner<{ told: string }>(text, [principal.org_id])).map((row) => row.told);
}

/** A run's charge in the outbox: what makes servers look at the organisation's thresholds. */
async function charged({ principal }: Ctx): Promise<void> {
  const charge = { run_id: randomUUID(), user_id: 'u', agent: 'triage', reason: 'run', state: 'completed' };
  await node.owner(`insert into netra.outbox (org_id, event_id, kind, payload) values ($1, $2, 'charge', $3)`, [
    principal.org_id,
    randomUUID(),
    { ...charge, amount_micro: String(100n * credit) },
  ]);
}

async function cap({ principal }: Ctx, caps: { overage?: bigint; total?: bigint; member?: bigint }): Promise<void> {
  const micro = (credits: bigint | undefined): bigint | null => (credits === undefined ? null : credits * credit);
  const values = [principal.org_id, micro(caps.overage), micro(caps.total), micro(caps.member), 'owner'];
  await node.platform.postgres.call({ text: 'select netra.set_spending_caps($1, $2, $3, $4, $5)', values });
}

// Planted bug that turns it red: `>` instead of `>=` in note_thresholds().
test('each threshold of the plan’s credits is told when it is reached, and not a micro-credit before', async () => {
  const ctx = await onPlan('free');
  await spend(ctx, 49n);
  await note(ctx);
  expect(await told(ctx)).toEqual([]);
  for (const [credits, expected] of [
    [1n, ['plan 50']],
    [29n, ['plan 50']],
    [1n, ['plan 50', 'plan 80']],
    [20n, ['plan 50', 'plan 80', 'plan 100']],
  ] as const) {
    await spend(ctx, credits);
    await note(ctx);
    expect(await told(ctx)).toEqual(expected);
  }
});

// Planted bugs that turn it red: note_thresholds() without its primary key; `order by` dropped or descending.
test('a jump tells all three, in order, once: whoever asks how often at the same time', async () => {
  const ctx = await onPlan('free');
  await spend(ctx, 40n);
  await note(ctx);
  await spend(ctx, 60n);
  await Promise.all(Array.from({ length: 12 }, () => note(ctx)));
  await note(ctx);
  expect(await told(ctx)).toEqual(['plan 50', 'plan 80', 'plan 100']);
});

test('credits that come back, or a plan that grows, tell nothing twice; the next period tells anew', async () => {
  const ctx = await onPlan('free');
  const hold_id = await spend(ctx, 80n);
  await note(ctx);
  await refundHold({ ctx, input: { hold_id, amount_micro: 80n * credit, reason: 'sorry', key: 'refund' } });
  await note(ctx);
  await spend(ctx, 80n);
  await note(ctx);
  expect(await told(ctx)).toEqual(['plan 50', 'plan 80']);
  await ageSubscription(node, ctx, { periods: 1 });
  // The stage has moved the period under its notices: they go with it.
  await node.owner(
    `update netra.threshold_notice n set period_start = s.period_start
       from netra.subscription s where n.org_id = $1 and s.org_id = $1`,
    [ctx.principal.org_id],
  );
  await subscribe({ ctx, input: { plan: 'free' } });
  await spend(ctx, 50n);
  await note(ctx);
  expect(await told(ctx)).toEqual(['plan 50', 'plan 80', 'plan 50']);
});

// Planted bug that turns it red: the members' counters measured against the organisation's cap.
test('the total cap and each member’s cap are told apart; a cap that was raised and is passed again is not', async () => {
  const ctx = await onPlan('early');
  const [ada, bob] = ['ada', 'bob'];
  await cap(ctx, { total: 100n, member: 40n });
  await spend(ctx, 20n, ada);
  await note(ctx);
  expect(await told(ctx)).toEqual(['member ada 50']);
  await spend(ctx, 40n, bob);
  await note(ctx);
  expect(await told(ctx)).toEqual(['member ada 50', 'member bob 50', 'member bob 80', 'member bob 100', 'total 50']);
  await cap(ctx, { total: 1_000n, member: 80n });
  await spend(ctx, 20n, bob);
  await note(ctx);
  expect(await told(ctx)).toHaveLength(5);
  await spend(ctx, 44n, ada);
  await note(ctx);
  expect((await told(ctx)).slice(5), 'a threshold that was not told before').toEqual(['member ada 80']);
});

test('the cap on what is drawn beyond the credits is told', async () => {
  const ctx = await onPlan('early');
  await cap(ctx, { overage: 100n });
  await spend(ctx, 1_000n);
  await spend(ctx, 85n);
  await note(ctx);
  expect(await told(ctx)).toEqual(['overage 50', 'overage 80', 'plan 50', 'plan 80', 'plan 100']);
});

// Planted bug that turns it red: threshold_uses() without the period that has just ended.
test('what was spent at the very end of a period is told after the next has begun', async () => {
  const ctx = await onPlan('free');
  await spend(ctx, 100n);
  await ageSubscription(node, ctx, { periods: 1 });
  await subscribe({ ctx, input: { plan: 'free' } });
  await note(ctx);
  expect(await told(ctx)).toEqual(['plan 50', 'plan 80', 'plan 100']);
});

// Planted bug that turns it red: clear the batch before onCharges (pump-outbox.ts).
test('a pump that dies before it has told leaves the batch, and the next one tells, once', async () => {
  const ctx = await onPlan('free');
  await spend(ctx, 100n);
  await charged(ctx);
  const { platform } = node;
  const dying = pumpOutbox({ platform, onCharges: () => Promise.reject(new Error('killed')) });
  await expect(dying).rejects.toThrow(/cannot be sent/);
  expect(await told(ctx)).toEqual([]);
  const onCharges = (org_ids: readonly string[]) => noteThresholds({ platform, org_ids });
  await node.owner('update netra.outbox_batch set taken_until = now()');
  expect((await pumpOutbox({ platform, onCharges })).rows).toBe(1);
  await pumpOutbox({ platform, onCharges });
  expect(await told(ctx)).toEqual(['plan 50', 'plan 80', 'plan 100']);
});

// Planted bug that turns it red: start-jobs.ts without watchOutbox (the minute's schedule is later than the deadline).
test('a server tells an organisation’s endpoint soon after a charge, in order, signed', async () => {
  const receiver = await openReceiver(own);
  const ctx = await onPlan('free');
  await createWebhook({ ctx, input: { url: receiver.url, types: ['credits.threshold'], idempotency_key: 'k' } });
  const server = await startServer({ env: { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on', NETRA_SECRET: secret } });
  own.onEnd(() => server.stop());
  await spend(ctx, 100n);
  await charged(ctx);
  await eventually('three notices', () => receiver.received.length === 3, { deadline_ms: 25_000 });
  const data = receiver.received.map(({ body }) => (JSON.parse(body) as { data: Record<string, unknown> }).data);
  expect(data.map(({ threshold }) => threshold)).toEqual([50, 80, 100]);
  expect(data[0]).toMatchObject({ subject: 'plan', user: null, used_micro: '100000000', of_micro: '100000000' });
}, 60_000);

// The notice's key and the event's key each suffice for once; the batch that is kept until it was told, for at all.
test('servers that are killed at any moment, two at a time, leave each threshold told once, under one id', async () => {
  const receiver = await openReceiver(own);
  const env = { ...own.env, NETRA_OUTGOING_LOOPBACK: 'on', NETRA_SECRET: secret };
  const orgs: Ctx[] = [];
  for (let round = 0; round < 3; round += 1) {
    const victims = await Promise.all([1, 2].map(() => startServer({ env })));
    const ctx = await onPlan('free');
    orgs.push(ctx);
    await createWebhook({ ctx, input: { url: receiver.url, types: ['credits.threshold'], idempotency_key: 'k' } });
    await spend(ctx, 100n);
    await charged(ctx);
    // Somewhere between the first look at the outbox and the last answer of the receiver.
    await new Promise((resolve) => setTimeout(resolve, node.platform.random() * 1_500));
    await Promise.all(victims.map((victim) => victim.kill()));
  }
  await node.owner('update netra.outbox_batch set taken_until = now()');
  await node.owner('update netra.webhook_endpoint set lease_until = now() where lease_until is not null');
  const survivor = await startServer({ env });
  own.onEnd(() => survivor.stop());
  const arrived = () => new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
  await eventually('each notice of each organisation', () => arrived().size === 3 * orgs.length, {
    deadline_ms: 60_000,
  });
  for (const ctx of orgs) expect(await told(ctx)).toEqual(['plan 50', 'plan 80', 'plan 100']);
  expect(arrived().size).toBe(3 * orgs.length);
}, 120_000);
