import { NetraError } from '@netra/contract';

type Rewrite = readonly [shape: RegExp, written: string];

/** Where a statement says its table, `on cluster` comes after the name. */
const places: readonly Rewrite[] = [
  [/^(create\s+(?:materialized\s+)?(?:table|view|database)\s+if\s+not\s+exists\s+\w+)/i, '$1'],
  [/^(alter\s+table\s+(?:if\s+exists\s+)?\w+)/i, '$1'],
  [/^(drop\s+(?:table|view|database)\s+if\s+exists\s+\w+)/i, '$1'],
  [/^(truncate\s+(?:table\s+)?if\s+exists\s+\w+)/i, '$1'],
];

// As long as on one machine, so that a retry is known for as long: a replicated table also forgets by time.
const window = 'replicated_deduplication_window = $1, replicated_deduplication_window_seconds = 2592000';
const engines: readonly Rewrite[] = [
  [/\bengine\s*=\s*((?:Replacing|Aggregating|Summing|Collapsing)?MergeTree)\b/i, 'engine = Replicated$1'],
  [/\bnon_replicated_deduplication_window\s*=\s*(\d+)/i, window],
];

/**
 * A statement of a migration as a cluster takes it: run on each of its nodes, tables replicated, deduplicated over all.
 * Migrations are written for one server, and those that were applied never change: so this is done to their text. The
 * engines take their path and replica from the server (`default_replica_path`, `default_replica_name`). Throws
 * `config_invalid` for a statement of a form that it does not know.
 */
export function forCluster(statement: string, cluster: string | null): string {
  if (cluster === null) return statement;
  const place = places.find(([shape]) => shape.test(statement));
  if (place === undefined) {
    throw new NetraError('config_invalid', `"${statement.slice(0, 60)}…" cannot be run on a cluster`);
  }
  const everywhere = statement.replace(place[0], `${place[1]} on cluster '${cluster}'`);
  return engines.reduce((text, [shape, written]) => text.replace(shape, written), everywhere);
}
