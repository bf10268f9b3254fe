import { randomUUID } from 'node:crypto';
import type { Suite } from '@netra/testkit';
import {
  createPlanCheckout,
  setSeller,
  tellSubscriptions,
  writeBillingProfile,
  type PlanCheckoutRow,
} from '../../../../server/billing/index.ts';
import { readBalance } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { readSubscription, subscribe } from '../../../../server/plans/index.ts';
import type { Asked } from './stripe-stand-in.ts';
import { customerOf, eventOf, openStripeStage, sessionOf, type StripeStage } from './stripe-stage.ts';

/** A plan that was paid at `checkout`; `months` is what Stripe collects it by. */
export interface PaidPlan {
  readonly ctx: Ctx;
  readonly checkout: PlanCheckoutRow;
  readonly months: string;
}

/** What the tests of paid plans stand on: a seller in the Netherlands, whose server leaves its jobs to the test. */
export interface Plans {
  readonly stage: StripeStage;
  /** An organisation on the free plan, in the Netherlands: 21 % tax. */
  onFree(): Promise<Ctx>;
  /** The same on the early plan, paid, and begun at Stripe. */
  onEarly(): Promise<PaidPlan>;
  /** The event that the page of a plan was paid. */
  planPaid(ctx: Ctx, checkout: PlanCheckoutRow, over?: object, type?: string): Promise<ReturnType<typeof eventOf>>;
  monthsOf(checkout: PlanCheckoutRow): Promise<string>;
  tell(): Promise<unknown>;
  /** What Stripe was asked for an organisation. */
  asked(path: string | RegExp, ctx: Ctx): Asked[];
}

export async function openPlans(on: Suite): Promise<Plans> {
  const stage = await openStripeStage(on);
  await stage.holdJobs();
  const { node } = stage;
  const seller = { name: 'Seller B.V.', address: 'Damrak 1', country: 'NL', number_prefix: 'PAY', notes: '' };
  await setSeller({ platform: node.platform, input: seller });
  const plans: Plans = {
    stage,
    async onFree() {
      const ctx = await node.newOrg();
      await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL' } });
      await subscribe({ ctx, input: { plan: 'free' } });
      return ctx;
    },
    async onEarly() {
      const ctx = await plans.onFree();
      const checkout = await ask(ctx);
      await stage.deliver(await plans.planPaid(ctx, checkout));
      await plans.tell();
      return { ctx, checkout, months: await plans.monthsOf(checkout) };
    },
    async planPaid(
      { principal: { org_id } },
      { checkout_id: id, first_usd: total_usd },
      over = {},
      type = 'checkout.session.completed',
    ) {
      const text = 'select provider_ref as session from netra.plan_checkout where checkout_id = $1';
      const [row] = await node.owner<{ session: string }>(text, [id]);
      const customer = await customerOf(node, org_id);
      return eventOf(
        type,
        sessionOf({ org_id, of: 'plan', id, session: row?.session ?? '', total_usd, customer }, over),
      );
    },
    async monthsOf({ checkout_id }) {
      const text = 'select subscription_ref as ref from netra.payment_subscription where checkout_id = $1';
      const [row] = await node.owner<{ ref: string | null }>(text, [checkout_id]);
      return row?.ref ?? '';
    },
    tell: () => tellSubscriptions({ platform: node.platform }),
    asked: (path, { principal }) =>
      stage.stripe.of('POST', path).filter(({ form }) => form['metadata[netra_org]'] === principal.org_id),
  };
  return plans;
}

export function ask(ctx: Ctx, plan = 'early', key: string = randomUUID()): Promise<PlanCheckoutRow> {
  return createPlanCheckout({ ctx, input: { plan, key } });
}

export async function planOf(ctx: Ctx): Promise<string> {
  return (await readSubscription({ ctx, input: {} })).plan_id;
}

export async function available(ctx: Ctx): Promise<bigint> {
  return (await readBalance({ ctx, input: {} })).balance_micro;
}

/** What Stripe tells of a month: its own invoice was paid, or was not. */
export function month(
  type: 'invoice.paid' | 'invoice.payment_failed',
  { ctx, checkout, months }: PaidPlan,
  invoice: string,
) {
  const cents = Math.round(Number(checkout.month_usd) * 100);
  const metadata = { netra_org: ctx.principal.org_id, netra_plan: checkout.checkout_id };
  const parent = { type: 'subscription_details', subscription_details: { subscription: months, metadata } };
  return eventOf(type, {
    id: invoice,
    object: 'invoice',
    parent,
    currency: 'usd',
    amount_paid: cents,
    amount_due: cents,
  });
}

/** What Stripe tells when it collects no more. */
export function ended({ ctx, checkout, months }: PaidPlan) {
  return eventOf('customer.subscription.deleted', {
    id: months,
    object: 'subscription',
    metadata: { netra_org: ctx.principal.org_id, netra_plan: checkout.checkout_id },
  });
}
