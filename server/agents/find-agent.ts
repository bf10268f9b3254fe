import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { dataAgent } from './builtin/data.ts';
import { optimizationAgent } from './builtin/optimization.ts';
import { rehearsalAgent } from './builtin/rehearsal.ts';
import { researchAgent } from './builtin/research.ts';
import { triageAgent } from './builtin/triage.ts';
import type { Agent } from './define-agent.ts';
import { ownAgents } from './own-agents.ts';

const always = [triageAgent, dataAgent, optimizationAgent, researchAgent];

/** Names that no file of the agents folder may take, whatever this node runs. */
export const reservedNames: ReadonlySet<string> = new Set(
  [...always, rehearsalAgent].map(({ name }) => name).concat('planner'),
);

/** The agents that this node runs: built in, and its own. */
export function agentsOf(platform: Platform): readonly Agent[] {
  const builtin = platform.config.rehearsal ? [...always, rehearsalAgent] : always;
  return [...builtin, ...ownAgents(platform)];
}

/** The agent of that name; throws `not_found`. */
export function findAgent(name: string, platform: Platform): Agent {
  const agents = agentsOf(platform);
  const agent = agents.find((known) => known.name === name);
  if (agent !== undefined) return agent;
  const names = agents.map((known) => known.name);
  throw new NetraError('not_found', `There is no agent ${name.slice(0, 64)}; there are: ${names.join(', ')}.`);
}
