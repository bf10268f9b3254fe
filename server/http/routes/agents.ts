import { agent, pageOf } from '@netra/contract';
import { listAgents } from '../../agents/index.ts';
import { route, type NetraApp } from '../index.ts';

/** The agents on sale. They are few: one page. */
export function agentRoutes(app: NetraApp): void {
  route(app, 'listAgents', {
    response: pageOf(agent),
    handle: async ({ ctx }) => ({ items: await listAgents({ ctx }), next: null }),
  });
}
