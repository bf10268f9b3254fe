/**
 * Segment: paying customers whose bookkeeping listens, and those who only buy credits.
 * Goal: whoever pays gets a document, and their systems hear of it once, signed.
 * Value: no invoice that somebody has to ask for.
 * Strategic impact: selling credits without a subscription becomes a business.
 */
import { randomUUID } from 'node:crypto';
import { createAccount, eventually, plainEnvironment, startChild, startServer, suite } from '@netra/testkit';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkInvoices,
  creditInvoice,
  issueInvoices,
  readInvoice,
  setSeller,
  writeBillingProfile,
} from '../../../server/billing/index.ts';
import { placeHold, refundHold, settleHold } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { openReceiver } from './receiver.ts';

const on = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(on);
  const seller = { name: 'Seller B.V.', address: 'Damrak 1', country: 'NL', number_prefix: 'INV' };
  await setSeller({ platform: node.platform, input: seller });
});

const run = (text: string, values: readonly unknown[]) => node.platform.postgres.call({ text, values });

async function buy({ principal: { org_id } }: Ctx, key: string): Promise<string> {
  const purchase = randomUUID();
  const open = "select netra.open_purchase($1, $2, 'small', now(), 'manual', null, null, 'me', $3)";
  await run(open, [org_id, purchase, key]);
  await run("select * from netra.settle_purchase($1, $2, 'manual', $2::uuid::text, 12.10, 'me', '')", [
    org_id,
    purchase,
  ]);
  return purchase;
}

describe('an organisation without a subscription', () => {
  // Planted bug that turns it red: no trigger on netra.credit_purchase.
  it('is invoiced at the end of the month for the credits that it bought, once, and by its subscription when it has one', async () => {
    const ctx = await node.newOrg();
    const { org_id } = ctx.principal;
    await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL' } });
    await Promise.all([buy(ctx, 'a'), buy(ctx, 'b')]);
    expect(await issueInvoices({ platform: node.platform, org_id }), 'the month is not over').toEqual([]);
    await monthsAgo(org_id, 3);
    const [first, ...more] = await issueInvoices({ platform: node.platform, org_id });
    expect(more, 'nothing in the two months since').toEqual([]);
    const invoice = await readInvoice({ ctx, input: { invoice_id: first?.invoice_id ?? '' } });
    expect(invoice).toMatchObject({ total_usd: '24.20', prepaid_usd: '24.20', due_usd: '0.00', state: 'paid' });
    expect(invoice.period_end?.toISOString()).toMatch(/-01T00:00:00\.000Z$/);

    await buy(ctx, 'c');
    await subscribe({ ctx, input: { plan: 'early' } });
    await monthsAgo(org_id, 1);
    const [second] = await issueInvoices({ platform: node.platform, org_id });
    expect(second?.total_usd).toBe('12.10');
    await buy(ctx, 'd');
    await node.owner("update netra.credit_purchase set paid_at = now() - interval '1 day' where org_id = $1", [org_id]);
    await ageSubscription(node, ctx, { periods: 1 });
    const [third, ...none] = await issueInvoices({ platform: node.platform, org_id });
    expect(none).toEqual([]);
    expect(third?.total_usd, 'its plan and the last purchase, on one document').toBe('48.39');
    expect(await checkInvoices({ platform: node.platform })).toEqual([]);
  });

  // Planted bug that turns it red: check_seen_billed() without its second half of purchases.
  it('M5 is told of when nothing would invoice it', async () => {
    const ctx = await node.newOrg();
    const { org_id } = ctx.principal;
    await buy(ctx, 'a');
    await node.owner('delete from netra.invoice_schedule where org_id = $1', [org_id]);
    const breaches = await checkInvoices({ platform: node.platform });
    expect(breaches).toMatchObject([{ org_id, invariant: 'M5', found: 'none' }]);
  });
});

/** Sets the stage: what it bought was so many months ago, and its calendar month with it. */
async function monthsAgo(org_id: string, months: number): Promise<void> {
  const nobody = '00000000-0000-0000-0000-000000000000';
  await node.owner(
    `with moved as (
       update netra.credit_purchase p set paid_at = p.paid_at - make_interval(months => $2)
        where p.org_id = $1 and p.invoice_id is null)
     update netra.invoice_schedule i set (period_index, period_start, period_end) =
       (select i.period_index - n, p.period_start, p.period_end
          from (select (extract(year from i.period_end) * 12 + extract(month from i.period_end)
                        - extract(year from now()) * 12 - extract(month from now()))::int + $2 - 1 as n) k
         cross join lateral netra.scheduled_period(netra.no_subscription($1), i.period_index - n) p)
      where i.org_id = $1 and i.subscription_id = '${nobody}'`,
    [org_id, months],
  );
}

describe('what was spent beyond the plan', () => {
  // Planted bug that turns it red: overage_to_bill() that compares the sums of grants alone.
  it('is billed by agent, also where one was refunded exactly what another spent late', async () => {
    const ctx = await node.newOrg();
    await subscribe({ ctx, input: { plan: 'enterprise' } });
    await spend(ctx, 25_000n * credit, 'research');
    const back = await spend(ctx, 100n * credit, 'data');
    const { hold_id: late } = await hold(ctx, 100n * credit, 'triage');
    await ageSubscription(node, ctx, { periods: 1 });
    await issueInvoices({ platform: node.platform, org_id: ctx.principal.org_id });
    await refundHold({ ctx, input: { hold_id: back, amount_micro: 40n * credit, reason: 'complaint', key: 'back' } });
    await settleHold({ ctx, input: { hold_id: late, capture_micro: 40n * credit, reason: 'run', key: 'late' } });
    await ageSubscription(node, ctx, { periods: 1 });
    const [next] = await issueInvoices({ platform: node.platform, org_id: ctx.principal.org_id });
    const { lines } = await readInvoice({ ctx, input: { invoice_id: next?.invoice_id ?? '' } });
    expect(lines.map(({ agent, net_usd }) => [agent, net_usd])).toEqual([
      [null, '299.99'],
      ['data', '-0.60'],
      ['triage', '0.60'],
    ]);
  });
});

async function hold(ctx: Ctx, amount_micro: bigint, agent: string) {
  const key = randomUUID();
  return placeHold({ ctx, input: { amount_micro, reason: 'run', agent, run_id: randomUUID(), key } });
}

async function spend(ctx: Ctx, amount_micro: bigint, agent: string): Promise<string> {
  const { hold_id } = await hold(ctx, amount_micro, agent);
  await settleHold({ ctx, input: { hold_id, capture_micro: amount_micro, reason: 'run', key: randomUUID() } });
  return hold_id;
}

describe('invoice.issued', () => {
  // Planted bug that turns it red: close_invoice() without its emit_webhook.
  it('reaches the customer’s server from the server’s own job, signed, once for each document, and says what it is', async () => {
    const receiver = await openReceiver(on);
    const env = { ...on.env, NETRA_OUTGOING_LOOPBACK: 'on' };
    const server = await startServer({ env });
    on.onEnd(() => server.stop());
    const { token, org } = await createAccount({ env, plan: 'early' });
    const call = (path: string, body: object) =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Idempotency-Key': randomUUID(),
        },
        body: JSON.stringify(body),
      });
    const made = await call('/v1/webhooks', { url: receiver.url, types: ['invoice.issued'] });
    const { secret } = (await made.json()) as { secret: string };
    const ctx: Ctx = { ...(await node.newOrg()) };
    const theirs: Ctx = { ...ctx, principal: { ...ctx.principal, org_id: org } };
    await ageSubscription(node, theirs, { periods: 1 });
    // Two nodes' jobs may issue at once; ours stands for the other.
    await Promise.all([1, 2].map(() => issueInvoices({ platform: node.platform, org_id: org })));
    await eventually('the invoice', () => receiver.received.length === 1);
    const [row] = await node.owner<{ invoice_id: string }>('select invoice_id from netra.invoice where org_id = $1', [
      org,
    ]);
    const invoice = await readInvoice({ ctx: theirs, input: { invoice_id: row?.invoice_id ?? '' } });
    await creditInvoice({ ctx: theirs, input: { invoice_id: invoice.invoice_id, net_usd: '5.00', reason: 'outage' } });
    await eventually('the credit note', () => receiver.received.length === 2);
    const told = receiver.received.map(({ body, headers }) =>
      new Webhook(secret).verify(body, headers as Record<string, string>),
    );
    expect(told).toMatchObject([
      {
        type: 'invoice.issued',
        data: {
          invoice: invoice.invoice_id,
          number: invoice.number,
          kind: 'invoice',
          corrects: null,
          total_usd: invoice.total_usd,
          due_usd: invoice.due_usd,
          currency: 'USD',
        },
      },
      { type: 'invoice.issued', data: { kind: 'credit_note', corrects: invoice.invoice_id, total_usd: '-6.05' } },
    ]);
  }, 60_000);
});

describe('numbers', () => {
  // Planted bug that turns it red: draw_number() from a sequence.
  it('have no gap and no double when three processes that issue them are killed, twice', async () => {
    const orgs = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const ctx = await node.newOrg();
        await subscribe({ ctx, input: { plan: 'early' } });
        await ageSubscription(node, ctx, { periods: 1 });
        return ctx.principal.org_id;
      }),
    );
    const issued = async (): Promise<number> => {
      const text = 'select count(*)::int as documents from netra.invoice where org_id = any ($1)';
      const [row] = await node.owner<{ documents: number }>(text, [orgs]);
      return row?.documents ?? 0;
    };
    for (const enough of [10, 30]) {
      const processes = await Promise.all([1, 2, 3].map(startIssuing));
      await eventually(`${enough} documents`, async () => (await issued()) >= enough, {
        every_ms: 5,
        deadline_ms: 60_000,
      });
      await Promise.all(processes.map((process) => process.stop('SIGKILL')));
    }
    for (const org_id of orgs) await issueInvoices({ platform: node.platform, org_id });
    expect(await issued()).toBe(orgs.length);
    const [series] = await node.owner(
      "select count(*) = max(serial) and min(serial) = 1 as dense, count(distinct number) = count(*) as once from netra.invoice where kind = 'invoice'",
    );
    expect(series).toEqual({ dense: true, once: true });
  }, 120_000);
});

function startIssuing() {
  return startChild({
    args: [new URL('issue-process.ts', import.meta.url).pathname, on.stores.postgres_url],
    env: plainEnvironment({
      ...on.env,
      NETRA_SECRET: 'only for tests: 32 bytes and then some more',
      NETRA_LOG_LEVEL: 'error',
    }),
    type: 'ready',
    deadline_ms: 30_000,
  });
}
