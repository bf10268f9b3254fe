import { rateUsage, standardBook } from '../../../../server/billing/index.ts';

/** One generated call. `cost_usd` empty: the importer prices it by the book. */
export interface Call {
  at_ms: number;
  user: string;
  feature: string;
  model: string;
  input: number;
  cached: number;
  output: number;
  cost_usd: string;
  status: 'ok' | 'error';
  request_id: string;
  prompt_hash: string;
  prefix_hash: string;
  prefix_tokens: number;
  retry_of: string;
}

/** What generated usage is drawn from: the same random, the same usage. */
export interface World {
  readonly random: () => number;
  readonly start_ms: number;
  readonly days: number;
  readonly users: readonly string[];
  /** Hours by which the organisation's day lies apart from UTC. */
  readonly zone_hours: number;
}

export interface Shape {
  readonly feature: string;
  readonly model: string;
  readonly calls: number;
  readonly input: number;
  readonly output: number;
  /** Spread of input and output: the standard deviation of their logarithm. */
  readonly noise: number;
}

export const day_ms = 86_400_000;
export const hour_ms = 3_600_000;

export function between(world: World, low: number, high: number): number {
  return low + Math.floor(world.random() * (high - low + 1));
}

export function pick<T>(world: World, items: readonly T[]): T {
  const item = items[Math.floor(world.random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

export function hash({ random }: World): string {
  return Array.from({ length: 4 }, () =>
    Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
}

/** Around a median, as sizes of prompts and answers are: many near it, few far above. */
export function around(world: World, median: number, noise: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - world.random())) * Math.cos(2 * Math.PI * world.random());
  return Math.max(1, Math.round(median * Math.exp(noise * normal)));
}

/** In working hours of the organisation's zone; weekends have a third. */
export function workTime(world: World): number {
  for (;;) {
    const day = between(world, 0, world.days - 1);
    const at = world.start_ms + day * day_ms + (7 + world.random() * 11 - world.zone_hours) * hour_ms;
    const weekday = new Date(world.start_ms + day * day_ms).getUTCDay();
    if (at >= world.start_ms && ((weekday !== 0 && weekday !== 6) || world.random() < 0.33)) return at;
  }
}

export function call(world: World, shape: Shape, change: Partial<Call> = {}): Call {
  return {
    at_ms: workTime(world),
    user: pick(world, world.users),
    feature: shape.feature,
    model: shape.model,
    input: around(world, shape.input, shape.noise),
    cached: 0,
    output: around(world, shape.output, shape.noise),
    cost_usd: '',
    status: 'ok',
    request_id: hash(world),
    prompt_hash: hash(world),
    prefix_hash: '',
    prefix_tokens: 0,
    retry_of: '',
    ...change,
  };
}

export function many(count: number, make: (place: number) => Call): Call[] {
  return Array.from({ length: Math.max(0, Math.round(count)) }, (_, place) => make(place));
}

/** By the price book itself, a call at a time: nothing of this comes from what it judges. */
export function costOf(each: Call & { readonly written?: number }): number {
  if (each.cost_usd !== '') return Number(each.cost_usd);
  const { model, input, cached, output, written = 0, at_ms } = each;
  const tokens = {
    input_tokens: input,
    cached_input_tokens: cached,
    cache_write_tokens: written,
    output_tokens: output,
  };
  return Number(rateUsage({ model, ...tokens, at: new Date(at_ms) }, standardBook()).cost_usd);
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
