import { z } from 'zod';
import { parseInput, type Platform } from '../platform/index.ts';
import { offerAgentStatement } from './sql/agent-offers.ts';

const input = z.object({
  agent: z.string().min(1).max(64),
  /** Null = every plan; none = only where a plan's own list has it. */
  plans: z.array(z.string().min(1).max(32)).max(100).nullable(),
  /** Who says so; kept. */
  by: z.string().min(1).max(200),
});

/** Says which plans have an agent, from now on, also in periods that run. Throws `not_found`. */
export async function offerAgent({ platform, input: given }: { platform: Platform; input: z.input<typeof input> }) {
  const { agent, plans, by } = parseInput(input, given);
  await platform.postgres.call(offerAgentStatement(agent, plans, by));
}
