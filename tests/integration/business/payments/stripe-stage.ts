import { randomUUID } from 'node:crypto';
import { startServer, type Suite, type TestServer } from '@netra/testkit';
import Stripe from 'stripe';
import type { PurchaseRow } from '../../../../server/billing/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { holdJob } from '../../hold-job.ts';
import { openLedger, type LedgerNode } from '../../ledger-node.ts';
import { openStandIn, type StandIn } from './stripe-stand-in.ts';

const secret = 'whsec_only_for_tests_0123456789abcdef';
const library = new Stripe('sk_test_only', { telemetry: false });

export interface Delivery {
  /** The bytes that are sent, where they are not those that were signed. */
  readonly body?: string;
  readonly secret?: string;
  readonly signed_s_ago?: number;
}

/** What the tests of Stripe stand on: a real server that is told to use it, and a stand-in for its API. */
export interface StripeStage {
  readonly node: LedgerNode;
  readonly stripe: StandIn;
  /** Configuration of a server that uses Stripe on the suite's stores. */
  readonly env: Readonly<Record<string, string>>;
  sign(event: object): { header: string; payload: string };
  /** As Stripe: signs the event with its own library, and posts it. Resolves to the status. */
  deliver(event: object, how?: Delivery): Promise<number>;
  /** The same to another server. */
  deliverTo(url: string, event: object, how?: Delivery): Promise<number>;
  readonly server: TestServer;
  /** State and note of a stored event; undefined if it is not stored. */
  stored(event: { readonly id: string }): Promise<{ state: string; note: string } | undefined>;
  /** Sets the stage: what waits is due. */
  makeDue(): Promise<void>;
  /** From here on the server's own jobs wait: what they would do, and when, is the test's to say. */
  holdJobs(): Promise<void>;
  /** What the organisation's endpoints were told, by type. */
  told(ctx: Ctx): Promise<Record<string, number>>;
}

export async function openStripeStage(on: Suite): Promise<StripeStage> {
  const stripe = await openStandIn(on);
  const env = {
    ...on.env,
    NETRA_PAYMENTS: 'stripe',
    NETRA_STRIPE_KEY: 'sk_test_only',
    NETRA_STRIPE_WEBHOOK_SECRET: secret,
    NETRA_STRIPE_URL: stripe.url,
  };
  const node = await openLedger({ ...on, env });
  const server = await startServer({ env });
  on.onEnd(() => server.stop());
  const deliverTo: StripeStage['deliverTo'] = async (url, event, how = {}) => {
    const { header, payload } = sign(event, how);
    const answer = await fetch(`${url}/v1/payments/stripe/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': header },
      body: how.body ?? payload,
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  return {
    node,
    stripe,
    env,
    server,
    deliverTo,
    sign,
    deliver: (event, how) => deliverTo(server.url, event, how),
    async stored({ id }) {
      const text = 'select state, note from netra.payment_event where event_id = $1';
      const [row] = await node.owner<{ state: string; note: string }>(text, [id]);
      return row;
    },
    async makeDue() {
      await node.owner(`update netra.payment_event set next_at = now() where state = 'received'`);
      await node.owner('update netra.payment_subscription set failed_at = null');
    },
    holdJobs: () => holdJob(node.owner, 'process_payment_events'),
    async told({ principal }) {
      const text = 'select type, count(*)::int as times from netra.webhook_event where org_id = $1 group by 1';
      const rows = await node.owner<{ type: string; times: number }>(text, [principal.org_id]);
      return Object.fromEntries(rows.map(({ type, times }) => [type, times]));
    },
  };
}

/** The bytes of an event as Stripe sends them, and the header that its library makes for them. */
function sign(event: object, how: Delivery = {}): { header: string; payload: string } {
  const payload = JSON.stringify(event, null, 2);
  const timestamp = Math.floor(Date.now() / 1000) - (how.signed_s_ago ?? 0);
  const header = library.webhooks.generateTestHeaderString({ payload, secret: how.secret ?? secret, timestamp });
  return { header, payload };
}

/** An event as Stripe sends it: the envelope, and what it is about. */
export function eventOf(type: string, object: object, over: object = {}): { id: string; data: { object: object } } {
  return {
    id: `evt_${randomUUID()}`,
    object: 'event',
    api_version: library.getApiField('version'),
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
    ...over,
  } as { id: string; data: { object: object } };
}

/** The page of a thing of ours, as an event shows it once it is paid. */
export function sessionOf(
  paid: { org_id: string; of: string; id: string; session: string; total_usd: string; customer: string },
  over: object = {},
): object {
  return {
    id: paid.session,
    object: 'checkout.session',
    mode: 'payment',
    status: 'complete',
    payment_status: 'paid',
    amount_total: Math.round(Number(paid.total_usd) * 100),
    currency: 'usd',
    customer: paid.customer,
    payment_intent: `pi_of_${paid.session}`,
    metadata: { netra_org: paid.org_id, [`netra_${paid.of}`]: paid.id },
    ...over,
  };
}

/** Who the organisation is to Stripe. */
export async function customerOf(node: LedgerNode, org_id: string): Promise<string> {
  const text = 'select customer_ref from netra.payment_customer where org_id = $1';
  const [row] = await node.owner<{ customer_ref: string }>(text, [org_id]);
  return row?.customer_ref ?? '';
}

/** The event that a purchase's page was paid. */
export async function purchasePaid(
  node: LedgerNode,
  purchase: PurchaseRow,
  over: object = {},
  type = 'checkout.session.completed',
) {
  const { org_id, purchase_id: id, provider_ref, total_usd } = purchase;
  const customer = await customerOf(node, org_id);
  return eventOf(
    type,
    sessionOf({ org_id, of: 'purchase', id, session: provider_ref ?? '', total_usd, customer }, over),
  );
}

/** The event that money of a payment went back: `cents` of it until now. */
export function refunded(paid: { data: { object: object } }, cents: number, over: object = {}) {
  const session = paid.data.object as {
    payment_intent: string;
    amount_total: number;
    metadata: object;
    customer: string;
  };
  return eventOf('charge.refunded', {
    id: `ch_of_${session.payment_intent}`,
    object: 'charge',
    payment_intent: session.payment_intent,
    customer: session.customer,
    amount: session.amount_total,
    amount_refunded: cents,
    refunded: cents === session.amount_total,
    metadata: session.metadata,
    ...over,
  });
}
