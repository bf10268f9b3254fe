import { createHash, scryptSync } from 'node:crypto';
import { configKeys, secretKeys, type ConfigKey, type Settings } from './config-keys.ts';

/**
 * What may be shown of a value: 64 bits that tell two apart and nothing more. Values that hold a credential go through
 * scrypt (10 ms each), since a password is short enough to be guessed against a plain hash.
 */
export function hashValue(key: ConfigKey, value: unknown): string {
  const text = JSON.stringify(value) ?? 'unset';
  if (!secretKeys.has(key)) return createHash('sha256').update(`${key}\n${text}`).digest('hex').slice(0, 16);
  return scryptSync(text, `netra config ${key}`, 8, { N: 4096 }).toString('hex');
}

export type ConfigHashes = Readonly<Record<ConfigKey, string>>;

/** A hash per key: what a node publishes about its configuration, and what drift is found by. */
export function hashConfig(settings: Settings): ConfigHashes {
  return Object.fromEntries(configKeys.map((key) => [key, hashValue(key, settings[key])])) as Record<ConfigKey, string>;
}
