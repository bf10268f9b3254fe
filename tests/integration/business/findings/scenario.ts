import { seededRandom } from '@netra/testkit';
import { cleanMakers } from './clean.ts';
import { planters, type Truth } from './plants.ts';
import { between, costOf, pick, sum, type Call, type Shape, type World } from './world.ts';

/** Generated usage with what was planted in it; a clean one has no truths. */
export interface Scenario {
  readonly seed: number;
  readonly calls: readonly Call[];
  readonly truths: readonly Truth[];
  readonly cost_usd: number;
}

const models = ['gpt-4.1-mini', 'gpt-4.1', 'gpt-4o', 'gpt-5', 'claude-sonnet-4-5', 'gemini-2.5-flash'];

/** Every third one is clean. The others have one to four inefficiencies among two or three clean features. */
export function makeScenario(seed: number): Scenario {
  const random = seededRandom(seed * 7_919 + 13);
  const zone_hours = [0, 0, 5, -8, 10][Math.floor(random() * 5)] ?? 0;
  const users = Array.from({ length: 8 + Math.floor(random() * 25) }, (_, place) => `user-${place}`);
  const start_ms = Date.UTC(2026, 8, 1 + Math.floor(random() * 28));
  const world: World = { random, start_ms, days: 15 + Math.floor(random() * 25), users, zone_hours };
  const clean = shuffled(world, cleanMakers).slice(0, between(world, 2, 3));
  const count = seed % 3 === 0 ? 0 : between(world, 1, 4);
  // In turn by the seed, so that each kind is planted as often as the others.
  const planted = Array.from({ length: count }, (_, place) => planters[(seed + place * 3) % planters.length]);
  const plants = planted.flatMap((plant, place) => (plant ? [plant(world, shapeOf(world, `planted-${place}`))] : []));
  const calls = [
    ...clean.flatMap((make, place) => make(world, shapeOf(world, `clean-${place}`))),
    ...plants.flatMap((plant) => plant.calls),
  ];
  return { seed, calls, truths: plants.map(({ truth }) => truth), cost_usd: sum(calls, costOf) };
}

function shapeOf(world: World, feature: string): Shape {
  return {
    feature,
    model: pick(world, models),
    calls: between(world, 400, 900),
    input: between(world, 600, 3_000),
    output: between(world, 80, 500),
    noise: 0.1 + world.random() * 0.22,
  };
}

function shuffled<T>({ random }: World, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

const header =
  'time,user,feature,model,input_tokens,cached_input_tokens,output_tokens,cost_usd,status,request_id,prompt_hash,prefix_hash,prefix_tokens,retry_of';

/** As a file of the importer's own columns. */
export function csvOf({ calls }: Scenario): Buffer {
  const lines = calls.map((each) =>
    [
      new Date(each.at_ms).toISOString(),
      each.user,
      each.feature,
      each.model,
      each.input,
      each.cached,
      each.output,
      each.cost_usd,
      each.status,
      each.request_id,
      each.prompt_hash,
      each.prefix_hash,
      each.prefix_tokens,
      each.retry_of,
    ].join(','),
  );
  return Buffer.from(`${[header, ...lines].join('\n')}\n`);
}
