import { z } from 'zod';
import { oneRow, parseInput, type Ctx } from '../../platform/index.ts';
import { openPage } from './open-page.ts';
import { providerOf } from './provider.ts';
import { readPurchase } from './read-purchase.ts';
import { idempotencyKey, idOfKey, packName, requirePayer } from './schemas.ts';
import {
  openPurchaseStatement,
  quotePurchaseStatement,
  type PurchaseQuote,
  type PurchaseRow,
} from './sql/purchases.ts';

const input = z.object({ pack: packName, key: idempotencyKey });
export type CreatePurchaseInput = z.input<typeof input>;

/**
 * Asks for a pack of credits: a pending purchase that says what it costs and where to pay. Credits come when it is paid.
 * The same key again is the same purchase. Throws `forbidden`, `not_found` for a pack that is not on sale,
 * `idempotency_key_reused`, and `unavailable` when the provider cannot be asked: then nothing was written.
 */
export async function createPurchase({
  ctx,
  input: raw,
}: {
  ctx: Ctx;
  input: CreatePurchaseInput;
}): Promise<PurchaseRow> {
  requirePayer(ctx);
  const { pack, key } = parseInput(input, raw);
  const { platform, principal } = ctx;
  const { org_id } = principal;
  const provider = await providerOf(platform);
  const id = idOfKey(org_id, 'purchase', key);
  const quote = oneRow(
    await platform.postgres.call<PurchaseQuote>(quotePurchaseStatement(org_id, id, pack, provider.name, key)),
  );
  if (quote.known) return readPurchase({ ctx, input: { purchase_id: quote.purchase_id } });

  const { pack_name, total_usd, tax_name, org_name, customer_ref } = quote;
  const order = { of: 'purchase', id, request: id, org_id, org_name, title: pack_name } as const;
  // The effect outside first: a purchase that is written can always be paid.
  const started = await openPage(platform, provider, { ...order, total_usd, tax_name, customer_ref });
  const opened = openPurchaseStatement({
    org_id,
    purchase_id: id,
    pack,
    quoted_us: quote.quoted_us,
    provider: provider.name,
    provider_ref: started.provider_ref,
    pay_url: started.pay_url,
    created_by: principal.user_id,
    key,
  });
  const { purchase_id } = oneRow(await platform.postgres.call<{ purchase_id: string }>(opened));
  return readPurchase({ ctx, input: { purchase_id } });
}
