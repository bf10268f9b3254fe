import type { Ctx } from '../platform/index.ts';
import { listAgentTermsStatement, type AgentTermsRow } from './sql/plans.ts';

/** What a run of each agent costs now, whether the organisation's plan has it, and which plan does. */
export async function listAgentTerms({
  ctx,
}: {
  ctx: Ctx;
  input: Record<never, never>;
}): Promise<readonly AgentTermsRow[]> {
  return ctx.platform.postgres.call<AgentTermsRow>(listAgentTermsStatement(ctx.principal.org_id));
}
