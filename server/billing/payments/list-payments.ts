import { z } from 'zod';
import { parseInput, type Ctx } from '../../platform/index.ts';
import { requirePayer, timeCursor } from './schemas.ts';
import { listPaymentsStatement, type PaymentRow } from './sql/payments.ts';

const input = z.object({ limit: z.number().int().min(1).max(200).default(50), cursor: timeCursor });
export type ListPaymentsInput = z.input<typeof input>;

/** Money that came from the organisation or went back to it, newest first. Throws `forbidden`. */
export async function listPayments({ ctx, input: raw }: { ctx: Ctx; input: ListPaymentsInput }): Promise<{
  readonly items: readonly PaymentRow[];
  readonly next: string | null;
}> {
  requirePayer(ctx);
  const { limit, cursor } = parseInput(input, raw);
  const { org_id } = ctx.principal;
  const after = cursor === undefined ? null : { recorded_us: cursor.at_us, payment_id: cursor.id };
  const rows = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<PaymentRow>(listPaymentsStatement(org_id, after, limit + 1)),
  );
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? `${last.recorded_us}.${last.payment_id}` : null };
}
