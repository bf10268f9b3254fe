import { around, between, call, day_ms, hash, hour_ms, many, pick, workTime } from './world.ts';
import type { Call, Shape, World } from './world.ts';

/** Usage that looks like waste and is none. Nothing may be found in it. */
type Maker = (world: World, shape: Shape) => Call[];

/** Peaks every Monday, and twice the traffic at the end of the time. */
const seasonal: Maker = (world, shape) =>
  many(shape.calls, () => {
    const at_ms = workTime(world);
    return call(world, shape, { at_ms });
  }).flatMap((each) => {
    const monday = new Date(each.at_ms).getUTCDay() === 1;
    const late = (each.at_ms - world.start_ms) / (world.days * day_ms);
    const times = (monday ? 5 : 1) + (world.random() < late ? 1 : 0);
    return many(times, () => ({
      ...each,
      request_id: hash(world),
      prompt_hash: hash(world),
      user: pick(world, world.users),
    }));
  });

/** Half of all calls, every day, by one user. */
const largeUser: Maker = (world, shape) =>
  many(shape.calls, () => call(world, shape, world.random() < 0.5 ? { user: 'whale' } : {}));

/** Every third call has a long document, as the work wants it. */
const documents: Maker = (world, shape) =>
  many(shape.calls, () =>
    call(world, shape, world.random() < 0.35 ? { input: around(world, shape.input * 9, 0.2) } : {}),
  );

/** Long inputs for long answers. */
const summaries: Maker = (world, shape) =>
  many(shape.calls, () => {
    const size = world.random() < 0.12 ? 5 + world.random() * 6 : 1;
    return call(world, shape, {
      input: around(world, shape.input * size, shape.noise),
      output: around(world, shape.output * size, shape.noise),
    });
  });

/** Sizes that vary by nature: a long tail, without a gap. */
const varied: Maker = (world, shape) =>
  many(shape.calls, () => call(world, { ...shape, noise: 0.9 + world.random() * 0.3 }));

/** People who ask for another answer now and then, and failures as every provider has them. */
const again: Maker = (world, shape) =>
  many(shape.calls, () => call(world, shape)).flatMap((each): Call[] => {
    const draw = world.random();
    if (draw < 0.02) return [each, { ...each, request_id: hash(world), at_ms: each.at_ms + 40_000 }];
    return [draw > 0.992 ? { ...each, status: 'error' } : each];
  });

/** A long prefix, read from the cache; and one that comes too seldom for any cache. */
const cached: Maker = (world, shape) => {
  const often = hash(world);
  const first = world.start_ms;
  return many(shape.calls, (place) => {
    if (place % 10 === 0) return call(world, shape, { prefix_hash: hash(world), prefix_tokens: shape.input });
    const at_ms = first + place * 60_000;
    return call(world, shape, {
      at_ms,
      prefix_hash: often,
      prefix_tokens: 2_000,
      input: 2_000 + shape.input,
      cached: place === 1 ? 0 : 2_000,
    });
  });
};

/** Twice as dear from the middle on, by the bill. */
const dearer: Maker = (world, shape) =>
  many(shape.calls, () => {
    const each = call(world, shape);
    const late = each.at_ms > world.start_ms + (world.days / 2) * day_ms;
    return { ...each, cost_usd: ((each.input * 2 + each.output * 8) * (late ? 2e-6 : 1e-6)).toFixed(12) };
  });

/** Models that no price book knows, with labels as answers. */
const unknown: Maker = (world, shape) =>
  many(shape.calls, () => {
    const each = call(world, { ...shape, model: 'in-house-70b' }, { output: between(world, 1, 9) });
    return { ...each, cost_usd: (each.input * 1e-6).toFixed(12) };
  });

/** A morning tool of one person. */
const oneMorning: Maker = (world, shape) =>
  many(shape.calls, () => {
    const at_ms = world.start_ms + (between(world, 0, world.days - 1) + (8 + world.random() * 4) / 24) * day_ms;
    return call(world, shape, {
      user: 'early-bird',
      at_ms: at_ms - world.zone_hours * hour_ms + day_ms * (world.zone_hours > 0 ? 1 : 0),
    });
  });

/** A few calls, some alike by chance. */
const few: Maker = (world, shape) => {
  const calls = many(between(world, 5, 19), () => call(world, shape));
  return calls.map((each, place) => (place < 4 ? { ...each, prompt_hash: calls[0]?.prompt_hash ?? '' } : each));
};

const ordinary: Maker = (world, shape) => many(shape.calls, () => call(world, shape));

export const cleanMakers: readonly Maker[] = [
  ordinary,
  seasonal,
  largeUser,
  documents,
  summaries,
  varied,
  again,
  cached,
  dearer,
  unknown,
  oneMorning,
  few,
];
