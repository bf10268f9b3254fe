import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, LoadedConfig } from './config.ts';

/**
 * Gives a development or test configuration without NETRA_SECRET the one in its data folder (0600), made on first
 * use. Staging and production never get here without one: loadConfig refuses.
 */
export function settleConfig(loaded: LoadedConfig): Config {
  return Object.freeze({ ...loaded, secret: loaded.secret ?? keptSecret(loaded.data_dir) });
}

function keptSecret(data_dir: string): string {
  const path = join(data_dir, 'secret');
  const kept = read(path);
  if (kept !== null) return kept;
  mkdirSync(data_dir, { recursive: true, mode: 0o700 });
  // Written whole beside it, then linked: of two processes that start at once one wins, and both read the winner's.
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, randomBytes(48).toString('base64url'), { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(path, 'utf8');
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
