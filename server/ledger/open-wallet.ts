import { z } from 'zod';
import { parseInput, type Ctx } from '../platform/index.ts';
import { wallet } from './schemas.ts';
import { openWalletStatement } from './sql/movements.ts';

const input = z.object({ wallet: wallet.min(1), name: z.string().min(1).max(100) });
export type OpenWalletInput = z.input<typeof input>;

/**
 * Opens a further wallet in the organisation. Again with the same name it changes nothing; throws `conflict` if it is
 * there under another. For operators: no route leads here.
 */
export async function openWallet({ ctx, input: raw }: { ctx: Ctx; input: OpenWalletInput }): Promise<void> {
  const { wallet: number, name } = parseInput(input, raw);
  await ctx.platform.postgres.call(openWalletStatement(ctx.principal.org_id, number, name));
}
