import type { Platform } from '../platform/index.ts';
import { listAgentOffersStatement, type AgentOffer } from './sql/agent-offers.ts';

/** The agents that this installation has brought, each with its fee now and the plans that have it. */
export async function listAgentOffers({ platform }: { platform: Platform }): Promise<readonly AgentOffer[]> {
  return platform.postgres.call<AgentOffer>(listAgentOffersStatement());
}
