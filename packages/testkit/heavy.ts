/** How long a heavy test may run, and the seed of its schedule. */
export interface Heavy {
  readonly length: 'short' | 'full';
  readonly seed: number;
  /** Uniform in [0, 1), the same sequence for the same seed. */
  readonly random: () => number;
}

/** What `./netra test` decided: full with `--full`, or when a heavy category was asked for by name. */
export function heavy(): Heavy {
  const seed = Number(process.env['NETRA_TEST_SEED'] ?? '1');
  const length = process.env['NETRA_TEST_LENGTH'] === 'full' ? 'full' : 'short';
  return { length, seed, random: seededRandom(seed) };
}

/** mulberry32: 32 bits of state are enough for a schedule, and a seed fits into one line of output. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
