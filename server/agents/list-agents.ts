import type { Ctx } from '../platform/index.ts';
import { listAgentTerms } from '../plans/index.ts';
import { agentsOf } from './find-agent.ts';

export interface ListedAgent {
  readonly agent: string;
  readonly title: string;
  readonly description: string;
  readonly fee_micro: bigint;
  readonly in_plan: boolean;
  readonly plan_that_lifts_it: string | null;
}

/** The agents that this installation runs and sells, with their fee now and whether the organisation's plan has them. */
export async function listAgents({ ctx }: { readonly ctx: Ctx }): Promise<readonly ListedAgent[]> {
  const terms = new Map((await listAgentTerms({ ctx, input: {} })).map((row) => [row.agent, row]));
  return agentsOf(ctx.platform).flatMap(({ name, title, description }): ListedAgent[] => {
    const found = terms.get(name);
    if (found === undefined) return [];
    const { fee_micro, in_plan, plan_that_lifts_it } = found;
    return [{ agent: name, title, description, fee_micro, in_plan, plan_that_lifts_it }];
  });
}
