/** Runs `work` for 0…count-1, at most `width` at once; operations per second. `lane` is which of the width it is. */
export async function rate(
  count: number,
  width: number,
  work: (index: number, lane: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const started = performance.now();
  const run = async (lane: number): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index, lane);
    }
  };
  await Promise.all(Array.from({ length: width }, (_, lane) => run(lane)));
  return (count * 1000) / (performance.now() - started);
}

export interface Pair {
  readonly ours: number;
  readonly floor: number;
  /** The lowest and the highest ratio of a single round: how far this run can be trusted. */
  readonly spread?: readonly [number, number];
}

/** Measures both in turn, ABBA ABBA…, so that a machine that slows down or speeds up does so for both; medians. */
export async function inTurn(rounds: number, ours: () => Promise<number>, floor: () => Promise<number>): Promise<Pair> {
  const measured = { ours: [] as number[], floor: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['ours', 'floor'] as const) : (['floor', 'ours'] as const);
    for (const side of order) measured[side].push(await (side === 'ours' ? ours() : floor()));
  }
  const ratios = measured.ours.map((one, round) => one / (measured.floor[round] ?? Number.NaN));
  const spread = [Math.min(...ratios), Math.max(...ratios)] as const;
  return { ours: median(measured.ours), floor: median(measured.floor), spread };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Of what `of` reads from each item. */
export function quantile<Item>(items: readonly Item[], of: (item: Item) => number, q: number): number {
  const sorted = items.map(of).toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}
