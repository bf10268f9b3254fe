import type { Platform } from '../platform/index.ts';
import type { Agent } from './define-agent.ts';

/** By node, never shared, so two nodes can live in one process. */
const own = new WeakMap<Platform, readonly Agent[]>();

/** The agents that this node runs beside the built-in ones. */
export function useOwnAgents(platform: Platform, agents: readonly Agent[]): void {
  own.set(platform, agents);
}

export function ownAgents(platform: Platform): readonly Agent[] {
  return own.get(platform) ?? [];
}
