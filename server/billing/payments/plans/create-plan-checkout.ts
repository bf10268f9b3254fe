import { z } from 'zod';
import { NetraError } from '@netra/contract';
import { oneRow, parseInput, type Ctx, type Platform } from '../../../platform/index.ts';
import { openPage } from '../open-page.ts';
import { providerOf, type PaymentProvider } from '../provider.ts';
import { idempotencyKey, idOfKey, planName, requirePayer } from '../schemas.ts';
import {
  openPlanCheckoutStatement,
  quotePlanStatement,
  type PlanCheckoutRow,
  type PlanQuote,
} from '../sql/plan-checkouts.ts';
import { readPlanCheckout } from './read-plan-checkout.ts';

const input = z.object({ plan: planName, key: idempotencyKey });
export type CreatePlanCheckoutInput = z.input<typeof input>;

/**
 * Asks for a dearer plan where a provider carries money: a page that takes the rest of this period, prorated to the
 * second. The plan begins when it is paid, and the provider collects each month from then on. Pages that were open for a
 * plan before are closed. The same key again is the same checkout. Throws `forbidden`, `not_found`, `conflict` where
 * nothing is to be paid first or a page was paid just now, `idempotency_key_reused`, and `unavailable` when the provider
 * cannot be asked: then nothing was written.
 */
export async function createPlanCheckout({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: CreatePlanCheckoutInput;
}): Promise<PlanCheckoutRow> {
  requirePayer(ctx);
  const { plan, key } = parseInput(input, raw);
  const { platform, principal } = ctx;
  const { org_id } = principal;
  const provider = await providerOf(platform);
  if (provider.months === undefined) {
    throw new NetraError('conflict', 'Plans are paid by invoice here: PUT /v1/subscription changes the plan.');
  }
  const id = idOfKey(org_id, 'plan', key);
  const asked = quotePlanStatement(org_id, id, plan, provider.name, key);
  const quote = oneRow(await platform.postgres.call<PlanQuote>(asked));
  if (quote.known) return readPlanCheckout({ ctx, input: { checkout_id: quote.checkout_id } });

  const { org_name, first_usd: total_usd, tax_name, customer_ref, open_pages } = quote;
  for (const page of open_pages) await provider.closePage(page);
  const order = { of: 'plan', id, request: id, org_id, org_name, title: `Plan ${quote.plan_id}` } as const;
  const opened = await openPage(platform, provider, { ...order, total_usd, tax_name, customer_ref });
  return keep({ platform, provider, ctx, quote, opened, key });
}

async function keep(made: {
  platform: Platform;
  provider: PaymentProvider;
  ctx: Ctx;
  quote: PlanQuote;
  opened: { readonly provider_ref: string | null; readonly pay_url: string | null };
  key: string;
}): Promise<PlanCheckoutRow> {
  const { platform, provider, ctx, quote, opened, key } = made;
  const statement = openPlanCheckoutStatement({
    org_id: ctx.principal.org_id,
    quote,
    provider: provider.name,
    provider_ref: opened.provider_ref,
    pay_url: opened.pay_url,
    closed_pages: quote.open_pages,
    created_by: ctx.principal.user_id,
    key,
  });
  const { checkout_id } = oneRow(await platform.postgres.call<{ checkout_id: string }>(statement));
  return readPlanCheckout({ ctx, input: { checkout_id } });
}
