import { hashConfig, hashValue, type ConfigHashes } from './config-hash.ts';
import { configKeys, nodeKeys, secretKeys, type ConfigKey, type Settings } from './config-keys.ts';
import type { LoadedConfig, Source } from './config.ts';

export interface DescribedKey {
  readonly key: ConfigKey;
  /** What it is; of a secret only that it is set. */
  readonly value: string;
  readonly source: Source;
  /** Tells two values apart, also those of secrets. For NETRA_SECRET_HASHES_ELSEWHERE of other environments. */
  readonly hash: string;
}

/** What this node runs with, for people: no value of a secret, and of a secret's URL not even the host. */
export function describeConfig({ settings, sources }: LoadedConfig): readonly DescribedKey[] {
  return configKeys.map((key) => ({
    key,
    value: shown(key, settings),
    source: sources[key],
    hash: hashValue(key, settings[key]),
  }));
}

function shown(key: ConfigKey, settings: Settings): string {
  const value = settings[key];
  if (value === undefined) return '-';
  if (secretKeys.has(key)) return '(set)';
  return Array.isArray(value) ? value.join(',') || '-' : String(value);
}

/** What a node says of its configuration: hashes only. */
export interface NodeReport {
  readonly node_id: string;
  readonly env: string;
  readonly hashes: ConfigHashes;
}

export function reportConfig(node_id: string, { env, settings }: LoadedConfig): NodeReport {
  return { node_id, env, hashes: hashConfig(settings) };
}

export interface OddNode {
  readonly node_id: string;
  readonly key: ConfigKey;
  readonly hash: string;
  /** What most nodes run with; null when there is no majority, so that all are named. */
  readonly expected: string | null;
}

/** Names the odd one out: each node whose hash of a key is not the one that most nodes have. */
export function findOddNodes(reports: readonly NodeReport[]): readonly OddNode[] {
  return configKeys
    .filter((key) => !nodeKeys.has(key))
    .flatMap((key) => {
      const expected = majority(reports.map(({ hashes }) => hashes[key]));
      const odd = reports.filter(({ hashes }) => hashes[key] !== expected);
      return odd.map(({ node_id, hashes }) => ({ node_id, key, hash: hashes[key], expected }));
    });
}

function majority(hashes: readonly string[]): string | null {
  const counts = new Map<string, number>();
  for (const hash of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  return most !== undefined && most[1] * 2 > hashes.length ? most[0] : null;
}
