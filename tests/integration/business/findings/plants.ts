import { around, between, call, costOf, day_ms, hash, hour_ms, many, median, pick, sum, workTime } from './world.ts';
import type { Call, Shape, World } from './world.ts';

/** What was put in on purpose. `saving_usd` over the whole time, by the kind's own rule. */
export interface Truth {
  readonly kind: string;
  /** The feature, or the user, that a finding has to name. */
  readonly subject: string;
  readonly saving_usd: number;
  /** False: the truth is known, but only to be estimated from the data. */
  readonly exact: boolean;
  /** Days that `saving_usd` is about; all if absent. */
  readonly days?: number;
}

export interface Plant {
  readonly calls: readonly Call[];
  readonly truth: Truth;
}

type Planter = (world: World, shape: Shape) => Plant;

const chance = ({ random }: World, share: number): boolean => random() < share;

/** A share of the calls asks again what was asked before, word for word. */
const duplicates: Planter = (world, shape) => {
  const share = 0.12 + world.random() * 0.3;
  const calls: Call[] = [];
  for (const each of many(shape.calls, () => call(world, shape)).sort((a, b) => a.at_ms - b.at_ms)) {
    const again = calls.length > 10 && chance(world, share) ? pick(world, calls) : null;
    calls.push(again === null ? each : { ...each, prompt_hash: again.prompt_hash, input: again.input });
  }
  const seen = new Set<string>();
  const extra = calls.filter(({ prompt_hash }) => seen.size === seen.add(prompt_hash).size);
  return { calls, truth: truthOf('exact_duplicates', shape, sum(extra, costOf), true) };
};

/** Sessions that send the same beginning, never or seldom from the cache. */
const prefixes: Planter = (world, shape) => {
  const prefix_tokens = between(world, 1_500, 6_000);
  const hashes = Array.from({ length: between(world, 1, 3) }, () => hash(world));
  const cachedShare = chance(world, 0.5) ? 0 : 0.2;
  let at_ms = 0;
  let prefix_hash = '';
  const calls = many(shape.calls, (place) => {
    if (place % 20 === 0) [at_ms, prefix_hash] = [workTime(world), pick(world, hashes)];
    else at_ms += between(world, 15_000, 90_000);
    const cached = chance(world, cachedShare) ? prefix_tokens : 0;
    const input = prefix_tokens + around(world, shape.input, shape.noise);
    return call(world, shape, { at_ms, prefix_hash, prefix_tokens, input, cached });
  });
  const last = new Map<string, number>();
  const saved = sum(
    calls.toSorted((a, b) => a.at_ms - b.at_ms),
    (each) => {
      const before = last.get(each.prefix_hash);
      last.set(each.prefix_hash, each.at_ms);
      const soon = before !== undefined && each.at_ms - before <= 300_000;
      if (soon) return costOf(each) - costOf({ ...each, cached: prefix_tokens });
      // Who writes the cache pays for that, where the book has a price for it.
      return costOf({ ...each, cached: 0 }) - costOf({ ...each, cached: 0, written: prefix_tokens });
    },
  );
  return { calls, truth: truthOf('repeated_prompts', shape, saved, true) };
};

/** A few calls drag a whole history along, for an answer of the usual length. */
const oversized: Planter = (world, shape) => {
  const share = 0.08 + world.random() * 0.12;
  const made = many(shape.calls, () => call(world, shape));
  const usual = median(made.map(({ input }) => input));
  let saved = 0;
  const calls = made.map((each) => {
    if (!chance(world, share)) return each;
    const large = { ...each, input: Math.round(each.input + usual * (5 + world.random() * 8)) };
    saved += costOf(large) - costOf(each);
    return large;
  });
  return { calls, truth: truthOf('oversized_context', shape, saved, false) };
};

/** A few answers run away. What a limit of twice the usual would have saved. */
const runaways: Planter = (world, shape) => {
  const share = 0.08 + world.random() * 0.08;
  const made = many(shape.calls, () => call(world, shape));
  const usual = median(made.map(({ output }) => output));
  let saved = 0;
  const calls = made.map((each) => {
    if (!chance(world, share)) return each;
    const large = { ...each, output: Math.round(usual * (5 + world.random() * 6)) };
    saved += costOf(large) - costOf({ ...large, output: 2 * usual });
    return large;
  });
  return { calls, truth: truthOf('output_heavy', shape, saved, false) };
};

/** Calls that fail after all their tokens, or work and are made again all the same. */
const failures: Planter = (world, shape) => {
  const share = 0.08 + world.random() * 0.12;
  const saidSo = chance(world, 0.6);
  let saved = 0;
  const calls = many(shape.calls, () => call(world, shape)).flatMap((each): Call[] => {
    if (!chance(world, share)) return [each];
    saved += costOf(each);
    const again = call(world, shape, {
      ...each,
      at_ms: each.at_ms + 20_000,
      request_id: hash(world),
      retry_of: each.request_id,
    });
    return [saidSo ? { ...each, status: 'error' } : each, again];
  });
  return { calls, truth: truthOf('retries_paid', shape, saved, true) };
};

/** A job at a fixed hour, every day, for nobody. */
const job: Planter = (world, shape) => {
  const from = (22 + between(world, 0, 3) - world.zone_hours + 24) % 24;
  const hours = between(world, 1, 3);
  const calls = many(shape.calls, (place) => {
    const at_ms = world.start_ms + (place % world.days) * day_ms + (from + world.random() * hours) * hour_ms;
    return call(world, shape, { user: '', at_ms });
  });
  return { calls, truth: truthOf('batch', shape, sum(calls, costOf) / 2, true) };
};

const smaller: Readonly<Record<string, string>> = {
  'gpt-4o': 'gpt-4o-mini',
  'gpt-4.1': 'gpt-4.1-mini',
  'gpt-5': 'gpt-5-mini',
};

/** Labels by a large model. */
const labels: Planter = (world, shape) => {
  const model = pick(world, Object.keys(smaller));
  const made = many(shape.calls, () =>
    call(world, { ...shape, model }, { input: between(world, 150, 1_500), output: between(world, 1, 15) }),
  );
  const saved = sum(made, (each) => costOf(each) - costOf({ ...each, model: smaller[model] ?? model }));
  return { calls: made, truth: truthOf('smaller_model', shape, saved, true) };
};

/** A script of one ordinary user that ran away for a day or two. */
const script: Planter = (world, shape) => {
  const user = pick(world, world.users.slice(-Math.ceil(world.users.length / 2)));
  const day = between(world, 3, world.days - 3);
  const length = between(world, 1, 2);
  const own = many(world.days, (place) => call(world, shape, { user, at_ms: world.start_ms + (place + 0.5) * day_ms }));
  const ran = many(between(world, 80, 160) * length, (place) => {
    const at_ms = world.start_ms + (day + (place % length) + 0.35 + world.random() * 0.4) * day_ms;
    return call(
      world,
      { ...shape, model: 'gpt-4o', input: shape.input * 5, output: shape.output * 5 },
      { user, at_ms },
    );
  });
  const calls = [...many(shape.calls, () => call(world, shape)), ...own, ...ran];
  return { calls, truth: { kind: 'cost_outlier', subject: user, saving_usd: sum(ran, costOf), exact: false } };
};

/** A day with many times the usual traffic, from everybody. */
const spike: Planter = (world, shape) => {
  const day = between(world, 4, world.days - 4);
  const steady = (place: number): number =>
    world.start_ms + ((place % world.days) + 0.3 + world.random() * 0.4) * day_ms;
  const perDay = Math.max(25, Math.round(shape.calls / world.days));
  const usual = many(perDay * world.days, (place) => call(world, shape, { at_ms: steady(place) }));
  const more = many(perDay * (5 + world.random() * 6), () => call(world, shape, { at_ms: steady(day) }));
  return { calls: [...usual, ...more], truth: truthOf('cost_spike', shape, sum(more, costOf), false) };
};

/** Prompts that pile up over the weeks. */
const growth: Planter = (world, shape) => {
  const grows = 0.8 + world.random() * 1.2;
  const perDay = Math.max(25, Math.round(shape.calls / world.days));
  const calls = many(perDay * world.days, (place) => {
    const day = place % world.days;
    const at_ms = world.start_ms + (day + 0.3 + world.random() * 0.4) * day_ms;
    const input = around(world, shape.input * (1 + (grows * day) / (world.days - 1)), shape.noise);
    return call(world, shape, { at_ms, input });
  });
  const third = Math.floor(world.days / 3);
  const size = (from: number): number => {
    const part = Array.from({ length: third }, (_, place) => 1 + (grows * (from + place)) / (world.days - 1));
    return (shape.input * sum(part, (each) => each)) / third;
  };
  const [one] = calls;
  const per_token =
    one === undefined
      ? 0
      : (costOf({ ...one, input: 101_000, output: 1 }) - costOf({ ...one, input: 1_000, output: 1 })) / 100_000;
  const saved = (size(world.days - third) - size(0)) * perDay * third * per_token;
  return { calls, truth: { ...truthOf('prompt_growth', shape, saved, false), days: third } };
};

function truthOf(kind: string, { feature }: Shape, saving_usd: number, exact: boolean): Truth {
  return { kind, subject: feature, saving_usd, exact };
}

export const planters: readonly Planter[] = [
  duplicates,
  prefixes,
  oversized,
  runaways,
  failures,
  job,
  labels,
  script,
  spike,
  growth,
];
