import { collectDefaultMetrics, Registry } from 'prom-client';

/** A registry of this node's own, never the library's global one: two nodes in one process count apart. */
export type Metrics = Registry;

export function openMetrics(options: { readonly process: boolean } = { process: false }): Metrics {
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  return registry;
}
