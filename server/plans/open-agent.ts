import { oneRow, type Platform } from '../platform/index.ts';
import { openAgentStatement, type OpenedAgent } from './sql/agent-offers.ts';

/**
 * Gives an agent that is seen for the first time its fee and its plans. What the books say already stands. Answers what
 * they say. Throws `not_found` for a plan that there is not.
 */
export async function openAgent({
  platform,
  input: { agent, fee_micro, plans, by },
}: {
  platform: Platform;
  input: {
    readonly agent: string;
    readonly fee_micro: bigint;
    readonly plans: readonly string[] | null;
    readonly by: string;
  };
}): Promise<OpenedAgent> {
  return oneRow(await platform.postgres.call<OpenedAgent>(openAgentStatement(agent, fee_micro, plans, by)));
}
