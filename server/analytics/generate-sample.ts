import { NetraError } from '@netra/contract';
import { rateUsage, standardBook } from '../billing/index.ts';
import * as makers from './sample-calls.ts';
import { SampleRandom } from './sample-random.ts';
import type { SampleCall, SampleWorld } from './sample-calls.ts';
import { plainColumns } from './schemas.ts';
import { fromPico, toPico } from './usage-sums.ts';

export type PlantedKind =
  | 'model_overkill'
  | 'cacheable_prefix'
  | 'exact_duplicates'
  | 'oversized_context'
  | 'paid_retries'
  | 'batchable'
  | 'user_outlier';

/** An inefficiency that was put into the sample on purpose, and what it truly costs. */
export interface Planted {
  readonly kind: PlantedKind;
  readonly feature: string;
  readonly model: string;
  readonly rows: number;
  /** Over the whole sample, exact; by `rule`. */
  readonly saving_usd: string;
  readonly rule: string;
  /** The cheaper model, or the user, where the kind has one. */
  readonly subject?: string;
}

export interface SampleManifest {
  /** Generated, not measured: everything that shows the sample says so. */
  readonly synthetic: true;
  readonly seed: number;
  readonly start: string;
  readonly days: number;
  readonly rows: number;
  readonly cost_usd: string;
  readonly planted: readonly Planted[];
}

export interface Sample {
  readonly manifest: SampleManifest;
  /** Oldest first. */
  readonly calls: readonly SampleCall[];
  /** The calls as a CSV file with our own column names, a part at a time. */
  csv(): Generator<Buffer>;
}

export interface SampleOptions {
  readonly seed: number;
  /** First day, `YYYY-MM-DD`. */
  readonly start: string;
  /** 3 to 366. */
  readonly days: number;
  /** 1,000 to 1,000,000. */
  readonly calls: number;
}

type Maker = (world: SampleWorld, count: number) => SampleCall[];

/** What the organisation does: maker and its share of the calls in thousandths. Shares add up to 1,000. */
const features: readonly (readonly [Maker, number])[] = [
  [makers.supportChat, 230],
  [makers.docSearch, 170],
  [makers.codeReview, 80],
  [makers.playground, 20],
  [makers.ticketRouting, 180],
  [makers.contractAnalysis, 90],
  [makers.faqAnswers, 60],
  [makers.reportSummary, 60],
  [makers.dataExtraction, 55],
  [makers.nightlyEnrichment, 40],
  [makers.runawayScript, 15],
];
const userCount = 24;
const csvRows = 2_000;

/**
 * Generates LLM usage of an organisation that does not exist, with inefficiencies whose true cost is known. The same
 * options give the same bytes. Savings are priced by the published prices.
 */
export function generateSample(options: SampleOptions): Sample {
  const world = makeWorld(options);
  const made = features.map(([maker, share]) => maker(world, Math.floor((options.calls * share) / 1000)));
  const calls = made.flat().sort((a, b) => a.at_ms - b.at_ms || (a.request_id < b.request_id ? -1 : 1));
  const cost = calls.reduce((sum, call) => sum + costOf(call), 0n);
  const runaway = new Set(made.at(-1));
  const planted = findPlanted(calls, runaway, world.users[0]);
  const { seed, start, days } = options;
  return {
    manifest: { synthetic: true, seed, start, days, rows: calls.length, cost_usd: fromPico(cost), planted },
    calls,
    csv: () => writeCsv(calls),
  };
}

function makeWorld(options: SampleOptions): SampleWorld {
  const start_ms = Date.parse(`${options.start}T00:00:00Z`);
  const { days, calls } = options;
  if (Number.isNaN(start_ms) || !(days >= 3 && days <= 366) || !(calls >= 1_000 && calls <= 1_000_000)) {
    throw new NetraError('invalid_request', 'A sample has a start YYYY-MM-DD, 3 to 366 days, 1,000 to 1,000,000 calls');
  }
  const name = (place: number): string => `synthetic-user-${String(place + 1).padStart(2, '0')}`;
  const others = Array.from({ length: userCount - 1 }, (_, place) => name(place + 1));
  return { random: new SampleRandom(options.seed), start_ms, days, users: [name(0), ...others] };
}

function findPlanted(calls: readonly SampleCall[], runaway: ReadonlySet<SampleCall>, user: string): Planted[] {
  const of = (feature: string): SampleCall[] => calls.filter((call) => call.feature === feature);
  return [
    overkill(of('ticket-routing'), 'gpt-4o-mini'),
    cacheable(of('contract-analysis')),
    duplicates(of('faq-answers')),
    oversized(of('report-summary')),
    describe(
      'paid_retries',
      of('data-extraction').filter((call) => call.status === 'error'),
      costOf,
      'failed calls',
    ),
    describe('batchable', of('nightly-enrichment'), (call) => costOf(call) / 2n, 'half the price in a batch API'),
    { ...describe('user_outlier', [...runaway], costOf, 'what the script cost'), subject: user },
  ];
}

function overkill(calls: readonly SampleCall[], subject: string): Planted {
  const saving = (call: SampleCall): bigint => costOf(call) - costOf({ ...call, model: subject });
  return { ...describe('model_overkill', calls, saving, `the same tokens by ${subject}`), subject };
}

function cacheable(calls: readonly SampleCall[]): Planted {
  const again = calls.filter((call, place) => call.at_ms - (calls[place - 1]?.at_ms ?? 0) <= 300_000);
  const saving = (call: SampleCall): bigint =>
    costOf(call) - costOf({ ...call, cached_input_tokens: call.prefix_tokens });
  return describe('cacheable_prefix', again, saving, 'prefix at the cached price, if sent within 5 minutes before');
}

function duplicates(calls: readonly SampleCall[]): Planted {
  const seen = new Set<string>();
  const again = calls.filter((call) => seen.size === seen.add(call.prompt_hash).size);
  return describe('exact_duplicates', again, costOf, 'all calls of a prompt but the first');
}

function oversized(calls: readonly SampleCall[]): Planted {
  const inputs = calls.map((call) => call.input_tokens).sort((a, b) => a - b);
  const median = inputs[Math.floor(inputs.length / 2)] ?? 0;
  const large = calls.filter((call) => call.input_tokens > 4 * median);
  const saving = (call: SampleCall): bigint => costOf(call) - costOf({ ...call, input_tokens: median });
  return describe('oversized_context', large, saving, "input beyond the feature's median");
}

function describe(kind: PlantedKind, calls: readonly SampleCall[], saving: (call: SampleCall) => bigint, rule: string) {
  const total = calls.reduce((sum, call) => sum + saving(call), 0n);
  const { feature = '', model = '' } = calls[0] ?? {};
  return { kind, feature, model, rows: calls.length, saving_usd: fromPico(total), rule };
}

function costOf(call: SampleCall): bigint {
  return toPico(rateUsage({ ...call, at: timeOf(call) }, standardBook()).cost_usd);
}

function timeOf(call: SampleCall): string {
  return new Date(call.at_ms).toISOString();
}

/** `agent` and `cost_usd` are not part of the sample: the importer prices it as it prices any file. */
const columns = plainColumns.filter((column) => column !== 'agent' && column !== 'cost_usd');

function readColumn(call: SampleCall, column: (typeof columns)[number]): string | number {
  return column === 'time' ? timeOf(call) : call[column];
}

function* writeCsv(calls: readonly SampleCall[]): Generator<Buffer> {
  yield Buffer.from(`${columns.join(',')}\n`);
  for (let from = 0; from < calls.length; from += csvRows) {
    const rows = calls
      .slice(from, from + csvRows)
      .map((call) => columns.map((column) => readColumn(call, column)).join(','));
    yield Buffer.from(`${rows.join('\n')}\n`);
  }
}
