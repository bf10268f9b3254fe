import { NetraError } from '@netra/contract';
import type { Config } from '../platform/index.ts';
import { dataAgent } from './builtin/data.ts';
import { optimizationAgent } from './builtin/optimization.ts';
import { rehearsalAgent } from './builtin/rehearsal.ts';
import { triageAgent } from './builtin/triage.ts';
import type { Agent } from './define-agent.ts';

const always = [triageAgent, dataAgent, optimizationAgent];

/** The agents that this node runs. */
export function builtinAgents(config: Pick<Config, 'rehearsal'>): readonly Agent[] {
  return config.rehearsal ? [...always, rehearsalAgent] : always;
}

/** The agent of that name; throws `not_found`. */
export function findAgent(name: string, config: Pick<Config, 'rehearsal'>): Agent {
  const agent = builtinAgents(config).find((known) => known.name === name);
  if (agent !== undefined) return agent;
  const names = builtinAgents(config).map((known) => known.name);
  throw new NetraError('not_found', `There is no agent ${name.slice(0, 64)}; there are: ${names.join(', ')}.`);
}
