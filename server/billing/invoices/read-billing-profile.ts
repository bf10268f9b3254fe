import { NetraError } from '@netra/contract';
import type { Ctx } from '../../platform/index.ts';
import { mayHandleMoney } from './schemas.ts';
import { readProfileStatement, type ProfileRow } from './sql/parties.ts';

/** Whom the organisation's invoices are made out to. Owner or admin. Throws `not_found` before anybody said so. */
export async function readBillingProfile({ ctx }: { ctx: Ctx; input: Record<never, never> }): Promise<ProfileRow> {
  mayHandleMoney(ctx.principal);
  const { org_id } = ctx.principal;
  const [profile] = await ctx.platform.postgres.inOrg(org_id, (tx) =>
    tx.rows<ProfileRow>(readProfileStatement(org_id)),
  );
  if (profile === undefined) throw new NetraError('not_found', 'There is no billing profile yet.');
  return profile;
}
