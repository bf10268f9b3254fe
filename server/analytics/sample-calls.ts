import type { SampleRandom } from './sample-random.ts';

/** One synthetic LLM call, by the importer's own column names. */
export interface SampleCall {
  readonly at_ms: number;
  readonly user: string;
  readonly feature: string;
  readonly model: string;
  readonly input_tokens: number;
  readonly cached_input_tokens: number;
  readonly output_tokens: number;
  readonly status: 'ok' | 'error';
  readonly error: string;
  readonly latency_ms: number;
  readonly request_id: string;
  readonly prompt_hash: string;
  readonly prefix_hash: string;
  readonly prefix_tokens: number;
  readonly retry_of: string;
}

/** What the makers below draw from. */
export interface SampleWorld {
  readonly random: SampleRandom;
  readonly start_ms: number;
  readonly days: number;
  readonly users: readonly [string, ...string[]];
}

const minute_ms = 60_000;
const hour_ms = 60 * minute_ms;
const day_ms = 24 * hour_ms;

interface Shape {
  readonly feature: string;
  readonly model: string;
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
}

function makeCall(world: SampleWorld, shape: Shape, change: Partial<SampleCall> = {}): SampleCall {
  const { random } = world;
  const output_tokens = random.between(...shape.output);
  return {
    at_ms: workTime(world),
    user: random.pick(world.users),
    feature: shape.feature,
    model: shape.model,
    input_tokens: random.between(...shape.input),
    cached_input_tokens: 0,
    output_tokens,
    status: 'ok',
    error: '',
    latency_ms: 250 + output_tokens * 11 + random.between(0, 400),
    request_id: random.hex(),
    prompt_hash: random.hex(),
    prefix_hash: '',
    prefix_tokens: 0,
    retry_of: '',
    ...change,
  };
}

/** Between 07:00 and 19:00 UTC; a quarter of the usual on weekends. */
function workTime({ random, start_ms, days }: SampleWorld): number {
  for (;;) {
    const day = start_ms + random.between(0, days - 1) * day_ms;
    const weekday = new Date(day).getUTCDay();
    const isWeekend = weekday === 0 || weekday === 6;
    const at = day + 7 * hour_ms + Math.floor(random.next() * 12 * hour_ms);
    if (!isWeekend || random.next() < 0.25) return at;
  }
}

function many(count: number, make: (place: number) => SampleCall): SampleCall[] {
  return Array.from({ length: count }, (_, place) => make(place));
}

/** Nothing to save: long answers by a fitting model, its prompt prefix read from the cache. */
export function supportChat(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'support-chat', model: 'claude-sonnet-4-5', input: [1900, 4200], output: [120, 480] };
  const prefix = { prefix_hash: world.random.hex(), prefix_tokens: 1500 };
  const calls = many(count, () => makeCall(world, shape, { ...prefix, cached_input_tokens: 1500 }));
  const first = calls.reduce((best, call) => (call.at_ms < best.at_ms ? call : best));
  return calls.map((call) => (call === first ? { ...call, cached_input_tokens: 0 } : call));
}

/** Nothing to save: a small model that reads what it found and answers. */
export function docSearch(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'doc-search', model: 'gpt-4.1-mini', input: [900, 3000], output: [90, 400] };
  return many(count, () => makeCall(world, shape));
}

/** Nothing to save: hard work for a large model. */
export function codeReview(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'code-review', model: 'gpt-5', input: [3000, 9000], output: [400, 1500] };
  return many(count, () => makeCall(world, shape));
}

/** Nothing to save: what people try out now and then. */
export function playground(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'playground', model: 'gpt-5', input: [300, 1100], output: [300, 900] };
  return many(count, () => makeCall(world, shape));
}

/** Planted: one of a dozen labels for a ticket, by a large model. */
export function ticketRouting(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'ticket-routing', model: 'gpt-4o', input: [200, 650], output: [2, 8] };
  return many(count, () => makeCall(world, shape));
}

/** Planted: the same 6,000 tokens before each clause, in sessions of 30 calls, never from the cache. */
export function contractAnalysis(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'contract-analysis', model: 'gpt-4.1', input: [6500, 8500], output: [300, 700] };
  const prefix = { prefix_hash: world.random.hex(), prefix_tokens: 6000 };
  let at_ms = 0;
  return many(count, (place) => {
    at_ms = place % 30 === 0 ? workTime(world) : at_ms + world.random.between(20_000, 100_000);
    return makeCall(world, shape, { ...prefix, at_ms });
  });
}

/** Planted: the same questions asked again, word for word, and answered again. */
export function faqAnswers(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'faq-answers', model: 'gpt-4o', input: [600, 1400], output: [90, 260] };
  const questions = many(Math.max(1, Math.floor(count / 20)), () => makeCall(world, shape));
  return many(count, (place) => {
    const { prompt_hash, input_tokens } = questions[place % questions.length] ?? makeCall(world, shape);
    return makeCall(world, shape, { prompt_hash, input_tokens });
  });
}

/** Planted: one call in eight drags the whole history along for an answer of the usual length. */
export function reportSummary(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'report-summary', model: 'gpt-4.1', input: [1500, 2500], output: [150, 350] };
  return many(count, (place) =>
    makeCall(world, shape, place % 8 === 0 ? { input_tokens: world.random.between(12_000, 30_000) } : {}),
  );
}

/** Planted: one call in ten answers broken JSON after all its tokens, and is made again. */
export function dataExtraction(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'data-extraction', model: 'gpt-4.1', input: [1200, 3600], output: [250, 800] };
  const calls: SampleCall[] = [];
  while (calls.length < count) {
    const call = makeCall(world, shape);
    if (calls.length % 11 !== 0 || calls.length + 1 === count) {
      calls.push(call);
      continue;
    }
    const { at_ms, user, input_tokens, prompt_hash } = call;
    const again = { user, input_tokens, prompt_hash, at_ms: at_ms + call.latency_ms + 500, retry_of: call.request_id };
    calls.push({ ...call, status: 'error', error: 'invalid_json' }, makeCall(world, shape, again));
  }
  return calls;
}

/** Planted: a job at night that nobody waits for, at full price. */
export function nightlyEnrichment(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'nightly-enrichment', model: 'gpt-4.1', input: [900, 2200], output: [150, 500] };
  return many(count, (place) => {
    const night = world.start_ms + (place % world.days) * day_ms + hour_ms;
    return makeCall(world, shape, { user: '', at_ms: night + world.random.between(0, 3 * hour_ms) });
  });
}

/** Planted: a script of one user that went on over two days. */
export function runawayScript(world: SampleWorld, count: number): SampleCall[] {
  const shape: Shape = { feature: 'playground', model: 'gpt-5', input: [20_000, 30_000], output: [4000, 6000] };
  const first_ms = world.start_ms + Math.floor(world.days / 2) * day_ms + 8 * hour_ms;
  return many(count, (place) => {
    const at_ms = first_ms + (place % 2) * day_ms + world.random.between(0, 10 * hour_ms);
    return makeCall(world, shape, { user: world.users[0], at_ms });
  });
}
