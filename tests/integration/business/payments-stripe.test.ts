/**
 * Segment: installations that sell by Stripe.
 * Goal: what Stripe tells is believed when Stripe signed it, acted on once, and never lost; what anybody else tells is not.
 * Value: credits come when the money is there, however often, late, early or twice the notice comes.
 * Strategic impact: an inbox that can be forged or replayed gives the product away.
 *
 * Nothing here asks Stripe: events are signed and verified by its library, its API is a stand-in on loopback.
 */
import { randomInt } from 'node:crypto';
import { request } from 'node:http';
import { createAccount, eventually, startServer, suite } from '@netra/testkit';
import { Client } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { processPaymentEvents, readPurchase, settlePurchase, type PurchaseRow } from '../../../server/billing/index.ts';
import { readBalance } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { credit } from '../ledger-node.ts';
import { askForSmall, expectBalanced, expectWhole, paymentsOf, smallPack } from './payments/purchases.ts';
import {
  customerOf,
  eventOf,
  openStripeStage,
  purchasePaid,
  refunded,
  sessionOf,
  type StripeStage,
} from './payments/stripe-stage.ts';

const own = suite();
let stage: StripeStage;
beforeAll(async () => {
  stage = await openStripeStage(own);
}, 120_000);

async function asked(): Promise<{ ctx: Ctx; purchase: PurchaseRow }> {
  const ctx = await stage.node.newOrg();
  return { ctx, purchase: await askForSmall(ctx) };
}

const stateOf = async (ctx: Ctx, { purchase_id }: PurchaseRow): Promise<string> =>
  (await readPurchase({ ctx, input: { purchase_id } })).state;
/** Holds a lock of another connection while `work` runs. */
async function whileLocked(text: string, work: () => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: own.stores.postgres_url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(text);
    await work();
  } finally {
    await client.end();
  }
}

const process = () => processPaymentEvents({ platform: stage.node.platform });

// Planted bug that turns it red: keepSignedBodies() that hands the parsed body on.
test('a purchase over REST is paid by a signed event: credits once, one notice, and the books agree', async () => {
  const { token, org } = await createAccount({ env: own.env, plan: 'free' });
  const call = async (method: string, path: string, body?: object, key?: string) => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`${stage.server.url}${path}`, init);
    // A JSON body; the test looks into it by name.
    return { status: answer.status, body: (await answer.json()) as Record<string, never> };
  };
  const packs = await call('GET', '/v1/credits/packs');
  expect(packs.body['items']).toContainEqual({
    pack: 'small',
    name: '1,000 credits',
    credits_micro: '1000000000',
    price_usd: '10.00',
  });
  const made = await call('POST', '/v1/credits/purchases', { pack: 'small' }, 'one');
  expect(made).toMatchObject({ status: 201, body: { state: 'pending', total_usd: '10.00', provider: 'stripe' } });
  expect(made.body['pay_url']).toMatch(/^https:\/\/checkout\.example\//);
  const again = await call('POST', '/v1/credits/purchases', { pack: 'small' }, 'one');
  expect(again.body).toEqual(made.body);
  expect((await call('POST', '/v1/credits/purchases', { pack: 'large' }, 'one')).status).toBe(409);
  expect((await call('POST', '/v1/credits/purchases', { pack: 'small' })).status).toBe(400);
  const text = 'select * from netra.list_purchases(null, 1000) where org_id = $1';
  const [row] = await stage.node.owner<PurchaseRow>(text, [org]);
  if (row === undefined) throw new Error('the purchase is there');
  expect(await stage.deliver(await purchasePaid(stage.node, row))).toBe(200);
  const path = `/v1/credits/purchases/${row.purchase_id}`;
  expect((await call('GET', path)).body).toMatchObject({ state: 'paid', pay_url: null, purchase: row.purchase_id });
  expect((await call('GET', '/v1/credits/purchases')).body['items']).toHaveLength(1);
  expect((await call('GET', '/v1/payments')).body['items']).toMatchObject([
    { kind: 'payment', amount_usd: '10.00', purchase: row.purchase_id, provider: 'stripe' },
  ]);
  expect((await call('POST', `${path}/cancel`)).status, 'paid is paid').toBe(409);
  expect((await call('GET', '/v1/credits')).body).toMatchObject({ balance_micro: String(100n * credit + smallPack) });
  const other = await createAccount({ env: own.env, plan: 'free' });
  const foreign = await fetch(`${stage.server.url}${path}`, { headers: { authorization: `Bearer ${other.token}` } });
  expect(foreign.status, 'T1').toBe(404);
  await expectWhole(stage.node);
}, 120_000);

// Planted bugs that turn it red: verify() without its tolerance; the body re-serialised before it is verified.
test('an event that is unsigned, signed by another, old or changed by a byte is refused, and not stored', async () => {
  const { ctx, purchase } = await asked();
  const event = await purchasePaid(stage.node, purchase);
  const payload = JSON.stringify(event, null, 2);
  const bad = [
    { secret: 'whsec_of_somebody_else_altogether' },
    { signed_s_ago: 301 },
    { body: payload.replace('"amount_total": 1000', '"amount_total": 1001') },
    { body: JSON.stringify(event) },
    { body: `${payload} ` },
    { body: '{"id":' },
  ];
  for (const how of bad) expect(await stage.deliver(event, how), JSON.stringify(how)).toBe(400);
  const post = (headers: Record<string, string>, body: string): Promise<Response> =>
    fetch(`${stage.server.url}/v1/payments/stripe/webhook`, { method: 'POST', headers, body });
  const json = { 'content-type': 'application/json' };
  expect((await post(json, payload)).status).toBe(400);
  expect((await post({ ...json, 'stripe-signature': 't=1,v1=00' }, payload)).status).toBe(400);
  expect((await post({ 'content-type': 'text/xml', 'stripe-signature': 'x' }, '<a/>')).status).toBe(415);
  const large = { ...json, 'stripe-signature': 't=1,v1=00' };
  expect((await post(large, `"${'x'.repeat(600 * 1024)}"`)).status).toBe(413);
  expect(await stage.stored(event)).toBe(undefined);
  expect(await stateOf(ctx, purchase)).toBe('pending');
  await expectBalanced(stage.node, ctx, 0n);
  expect(await stage.deliver(event, { signed_s_ago: 290 }), 'signed five minutes ago still counts').toBe(200);
  await expectBalanced(stage.node, ctx, smallPack);
});

// Planted bugs that turn it red, all three together: lock_purchase() that does not lock, payment_once an index that is not
// unique, a grant under a random key. Each of them alone is made good by the other two.
test('M3 an event that comes 20 times at once, and 20 events of one payment, grant once and are told once', async () => {
  const { ctx, purchase } = await asked();
  const event = await purchasePaid(stage.node, purchase);
  const types = ['checkout.session.completed', 'checkout.session.async_payment_succeeded'];
  const others = await Promise.all(
    Array.from({ length: 20 }, (_, one) => purchasePaid(stage.node, purchase, {}, types[one % 2])),
  );
  const same = Array.from({ length: 20 }, () => event);
  const statuses = await Promise.all([...others, ...same].map((one) => stage.deliver(one)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await stage.stored(event)).toEqual({ state: 'processed', note: '' });
  expect(await paymentsOf(stage.node, ctx)).toHaveLength(1);
  expect(await stage.told(ctx)).toEqual({ 'purchase.paid': 1 });
  await expectBalanced(stage.node, ctx, smallPack);
});

// Planted bug that turns it red: doubt_notice() that returns null.
test('an event over another amount, currency, page, customer or organisation is flagged, and grants nothing', async () => {
  const { ctx, purchase } = await asked();
  const { purchase: theirs } = await asked();
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ amount_total: 999 }, /costs|asked for/],
    [{ amount_total: null }, /asked for/],
    [{ currency: 'jpy' }, /currency/],
    [{ id: 'cs_test_another' }, /another checkout/],
    [{ customer: 'cus_another' }, /another customer/],
    [{ customer: null }, /another customer/],
    [{ metadata: { netra_org: theirs.org_id, netra_purchase: purchase.purchase_id } }, /another organisation/],
  ];
  for (const [over, note] of cases) {
    const event = await purchasePaid(stage.node, purchase, over);
    expect(await stage.deliver(event)).toBe(200);
    expect(await stage.stored(event), JSON.stringify(over)).toEqual({
      state: 'flagged',
      note: expect.stringMatching(note),
    });
  }
  // The page of one, with the name of another: nobody gets anything.
  const mixed = await purchasePaid(stage.node, theirs, {
    metadata: { netra_org: ctx.principal.org_id, netra_purchase: purchase.purchase_id },
  });
  await stage.deliver(mixed);
  expect((await stage.stored(mixed))?.state).toBe('flagged');
  expect(await paymentsOf(stage.node, ctx)).toEqual([]);
  await expectBalanced(stage.node, ctx, 0n);
  expect(await stateOf(ctx, purchase)).toBe('pending');
});

// Planted bug that turns it red: take_purchase_notice() that flags what it does not know.
test('an event that is earlier than its purchase waits for it', async () => {
  const ctx = await stage.node.newOrg();
  const { org_id } = ctx.principal;
  const { pages } = stage.stripe;
  const before = pages.size;
  const asking: Promise<PurchaseRow>[] = [];
  let early = { id: '' };
  // The page is there, and our own row is not committed.
  await whileLocked('lock table netra.credit_purchase in exclusive mode', async () => {
    asking.push(askForSmall(ctx));
    const page = await eventually('the page', () =>
      stage.stripe.of('POST', '/v1/checkout/sessions').find(({ form }) => form['metadata[netra_org]'] === org_id),
    );
    const session = await eventually('its id', () => pages.size > before && [...pages.keys()].at(-1));
    const id = page.form['metadata[netra_purchase]'] ?? '';
    const customer = await eventually('its customer', () => customerOf(stage.node, org_id));
    const paid = { org_id, of: 'purchase', id, session, total_usd: '10.00', customer };
    early = eventOf('checkout.session.completed', sessionOf(paid));
    expect(await stage.deliver(early)).toBe(200);
    expect(await stage.stored(early)).toEqual({ state: 'received', note: 'waits for its purchase' });
  });
  expect((await Promise.all(asking))[0]?.state).toBe('pending');
  await stage.makeDue();
  await process();
  expect(await stage.stored(early)).toEqual({ state: 'processed', note: '' });
  await expectBalanced(stage.node, ctx, smallPack);
});

// Planted bug that turns it red: take_purchase_notice() that cancels whatever the state is.
test('events out of order end the same: a page that closes late cancels nothing, a late payment is not lost', async () => {
  const { ctx, purchase } = await asked();
  await stage.deliver(await purchasePaid(stage.node, purchase));
  for (const type of ['checkout.session.expired', 'checkout.session.async_payment_failed']) {
    const late = await purchasePaid(stage.node, purchase, {}, type);
    expect(await stage.deliver(late)).toBe(200);
    expect((await stage.stored(late))?.state).toBe('processed');
  }
  expect(await stateOf(ctx, purchase)).toBe('paid');
  await expectBalanced(stage.node, ctx, smallPack);

  const second = await askForSmall(ctx);
  await stage.deliver(await purchasePaid(stage.node, second, {}, 'checkout.session.async_payment_failed'));
  expect(await stateOf(ctx, second)).toBe('cancelled');
  expect((await stage.told(ctx))['payment.failed']).toBe(1);
  const after = await purchasePaid(stage.node, second);
  await stage.deliver(after);
  expect(await stage.stored(after)).toEqual({
    state: 'flagged',
    note: expect.stringContaining('after it was cancelled'),
  });
  await expectBalanced(stage.node, ctx, smallPack);
  // The operator sends it back at Stripe.
  const back = refunded(after, 1000);
  await stage.deliver(back);
  expect(await stage.stored(back)).toEqual({ state: 'processed', note: '' });
  expect((await paymentsOf(stage.node, ctx)).map(({ amount }) => amount)).toEqual(['10.00', '10.00', '-10.00']);

  const third = await askForSmall(ctx);
  const paid = await purchasePaid(stage.node, third);
  const early = refunded(paid, 1000);
  await stage.deliver(early);
  expect(await stage.stored(early)).toEqual({ state: 'received', note: 'waits for its payment' });
  await stage.deliver(paid);
  await stage.makeDue();
  await process();
  expect(await stage.stored(early)).toEqual({ state: 'processed', note: '' });
  expect(await stateOf(ctx, third)).toBe('refunded');
  await expectBalanced(stage.node, ctx, smallPack);
});

// Planted bug that turns it red: settle_purchase() without the lock (read the state without `for no key update`).
test('M3 the operator who marks a purchase as paid, and the event at the same moment, grant it once; the second is flagged', async () => {
  const ctx = await stage.node.newOrg();
  const rounds = 10;
  for (let round = 0; round < rounds; round += 1) {
    const purchase = await askForSmall(ctx);
    const event = await purchasePaid(stage.node, purchase);
    const input = {
      purchase_id: purchase.purchase_id,
      amount_usd: '10.00',
      reference: `bank ${round}`,
      by: 'operator',
    };
    const [said, status] = await Promise.all([
      settlePurchase({ platform: stage.node.platform, input }),
      stage.deliver(event),
    ]);
    expect(status).toBe(200);
    const note = await stage.stored(event);
    expect(note?.state).toBe(said.settled ? 'flagged' : 'processed');
  }
  expect(await paymentsOf(stage.node, ctx)).toHaveLength(rounds);
  expect((await stage.told(ctx))['purchase.paid']).toBe(rounds);
  await expectBalanced(stage.node, ctx, BigInt(rounds) * smallPack);
});

// Planted bugs that turn it red: receiveStripeEvent() that acts without storing first; no job that takes up what is stored.
test('a server that is killed between storing an event and acting on it: the next one acts', async () => {
  const { ctx, purchase } = await asked();
  const event = await purchasePaid(stage.node, purchase);
  const doomed = await startServer({ env: stage.env });
  const told: Promise<number | string>[] = [];
  const waits = `select pid from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock' and query like '%apply_payment_notice%'`;
  const row = `select from netra.credit_purchase where purchase_id = '${purchase.purchase_id}' for update`;
  await whileLocked(row, async () => {
    told.push(stage.deliverTo(doomed.url, event).catch(() => 'cut off'));
    const waiting = await eventually('it is stored, and waits', async () => {
      const rows = await stage.node.owner<{ pid: number }>(waits);
      return rows.length > 0 && rows;
    });
    expect((await stage.stored(event))?.state).toBe('received');
    await doomed.kill();
    // Its statement would else go on in the database once the lock is gone.
    await stage.node.owner('select pg_terminate_backend($1)', [waiting[0]?.pid]);
  });
  expect(await Promise.all(told)).toEqual(['cut off']);
  expect(await stateOf(ctx, purchase)).toBe('pending');
  const next = await startServer({ env: stage.env });
  try {
    await eventually('it is paid', async () => (await stateOf(ctx, purchase)) === 'paid');
  } finally {
    await next.stop();
  }
  expect(await stage.deliver(event), 'and Stripe, which had no answer, sends it again').toBe(200);
  expect(await stage.told(ctx)).toEqual({ 'purchase.paid': 1 });
  await expectBalanced(stage.node, ctx, smallPack);
}, 120_000);

test('what is not ours is kept and ignored: unknown types, other shops’ pages, the other mode is flagged', async () => {
  const { ctx, purchase } = await asked();
  const cases = [
    [eventOf('something.new_in_2031', { id: 'x' }), 'ignored'],
    [eventOf('customer.created', { id: 'cus_1' }), 'ignored'],
    [await purchasePaid(stage.node, purchase, { metadata: {} }), 'ignored'],
    [await purchasePaid(stage.node, purchase, { mode: 'subscription' }), 'ignored'],
    [await purchasePaid(stage.node, purchase, { payment_status: 'unpaid' }), 'ignored'],
    [{ ...(await purchasePaid(stage.node, purchase)), livemode: true }, 'flagged'],
    [
      eventOf('charge.refunded', { id: 'ch_9', payment_intent: 'pi_9', customer: 'cus_nobody', metadata: {} }),
      'ignored',
    ],
  ] as const;
  for (const [event, state] of cases) {
    expect(await stage.deliver(event)).toBe(200);
    expect((await stage.stored(event))?.state).toBe(state);
  }
  expect(await stateOf(ctx, purchase)).toBe('pending');
  await expectBalanced(stage.node, ctx, 0n);
});

// Planted bug that turns it red: `access: 'public'` for receiveStripeEvent.
test('strangers use up what an address may ask, and Stripe’s own deliveries still come through', async () => {
  const { ctx, purchase } = await asked();
  // An address of its own: other tests share the counters of this machine's usual one.
  const address = `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(1, 255)}`;
  const post = (headers: Record<string, string>, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const url = `${stage.server.url}/v1/payments/stripe/webhook`;
      const init = {
        method: 'POST',
        localAddress: address,
        headers: { 'content-type': 'application/json', ...headers },
      };
      const asking = request(url, init, (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
      });
      asking.on('error', reject).end(body);
    });
  const strange = () => post({ 'stripe-signature': 't=1,v1=00' }, '{}');
  expect([await strange(), await post({}, '{}')]).toEqual([400, 400]);
  const used = { key: `netra:{public}:requests:${address}`, points: 1_198, max: 1_200, window_ms: 60_000 };
  await stage.node.platform.redis.consume(used);
  expect([await strange(), await post({}, '{}')]).toEqual([429, 429]);
  const event = await purchasePaid(stage.node, purchase);
  const { header, payload } = stage.sign(event);
  expect(await post({ 'stripe-signature': header }, payload)).toBe(200);
  expect(await stateOf(ctx, purchase)).toBe('paid');
  expect((await readBalance({ ctx, input: {} })).balance_micro).toBe(smallPack);
});
