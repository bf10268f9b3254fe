import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import { generateSample } from '../analytics/index.ts';
import { systemClock } from '../platform/index.ts';

const day_ms = 86_400_000;
const days = 30;
const calls = 30_000;

/** `sample [--seed N]`: a synthetic month of usage, ending yesterday, as CSV on stdout. The same day and seed = the same bytes. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { seed: { type: 'string', default: '1' } } });
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new NetraError('invalid_request', '--seed must be a whole number, zero or more');
  }
  const today_ms = Math.floor(systemClock.nowMs() / day_ms) * day_ms;
  const start = new Date(today_ms - days * day_ms).toISOString().slice(0, 10);
  const sample = generateSample({ seed, start, days, calls });
  try {
    await pipeline(Readable.from(sample.csv()), process.stdout);
  } catch (error) {
    // A reader that has seen enough (`sample | head`) is no failure of ours.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
  return 0;
}
