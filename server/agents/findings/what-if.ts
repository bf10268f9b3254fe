import Big from 'big.js';
import type { OffPeakRow } from '../../analytics/index.ts';
import type { ModelPrices } from '../../billing/index.ts';
import { exact, rounded, usd } from './arithmetic.ts';
import { named, type Basis, type ModelPrice, type Saving } from './finding.ts';
import { costAt, type Tokens } from './worth-today.ts';

/** What would be if: a change to one feature's calls, against the forecast. Prices only; nothing is said of quality. */
export interface WhatIf {
  readonly change: string;
  readonly feature: string;
  readonly model: string;
  /** The new price of the same tokens beside today's: 0.3 = costs 30 % of it. */
  readonly price_ratio: string;
  /** A quarter of these calls of the low forecast, half of the expected one, all of the high one. */
  readonly saving_usd_month: Saving;
  readonly arithmetic: string;
  readonly assumptions: readonly string[];
}

export interface Market {
  readonly rows: readonly OffPeakRow[];
  readonly next_30_days_usd: Saving;
  readonly basis: Basis;
  /** Every model that the price book has a price of today. */
  readonly models: readonly ModelPrices[];
}

/** Makers that publish a batch API at half the price. */
const batch_makers: ReadonlySet<string> = new Set(['openai', 'anthropic', 'google', 'mistral', 'azure', 'groq']);
const batch_price = new Big('0.5');
const shares = { low: '0.25', expected: '0.5', high: '1' } as const;
const max_features = 5;
/** Of one maker’s cheaper models, the nearest below in price; of the whole market, its cheapest. */
const max_of_maker = 3;

const tokens_assumed =
  'the other model counts the same tokens (tokenizers differ) and writes answers of the same length';
const quality_unknown = 'whether its answers are good enough is not known: try it on a share first';
const batch_assumed = 'a batch API takes half off, and these calls can wait for a day';

/** Compares what the dearest features would cost elsewhere: the price book’s whole market, a batch API, and both. */
export function compareMarket({ rows, next_30_days_usd, basis, models }: Market): WhatIf[] {
  return rows.slice(0, max_features).flatMap((row) => {
    const price = basis.priceOf(row.model);
    if (price === null) return [];
    const tokens = { input: row.input_tokens, cached: row.cached_input_tokens, output: row.output_tokens };
    const now = costAt('now', tokens, price).value;
    if (now.lte(0)) return [];
    const feature: Priced = { row, tokens, now, price, part: new Big(row.cost_usd).div(basis.total_cost_usd) };
    const others = pricedModels(feature, models);
    const ofMaker = others.filter(({ provider }) => provider === price.provider).slice(-max_of_maker);
    const cheapest = others.filter(({ provider }) => provider !== price.provider).slice(0, 1);
    const switches = [...ofMaker.toReversed(), ...cheapest];
    const changes: Change[] = switches.map(({ name, ratio }) => ({
      change: `switch to ${name}`,
      ratio,
      assumptions: [tokens_assumed, quality_unknown],
    }));
    if (batch_makers.has(price.provider)) {
      changes.push({ change: 'batch', ratio: batch_price, assumptions: [batch_assumed] });
      const [nearest] = ofMaker.toReversed();
      if (nearest !== undefined) {
        const ratio = nearest.ratio.times(batch_price);
        const assumptions = [tokens_assumed, quality_unknown, batch_assumed];
        changes.push({ change: `switch to ${nearest.name}, and batch`, ratio, assumptions });
      }
    }
    return changes.map((change) => whatIf(feature, change, next_30_days_usd));
  });
}

interface Priced {
  readonly row: OffPeakRow;
  readonly tokens: Tokens;
  readonly now: Big;
  readonly price: ModelPrice;
  /** Of the whole cost. */
  readonly part: Big;
}

interface Change {
  readonly change: string;
  readonly ratio: Big;
  readonly assumptions: readonly string[];
}

/** Every model of the book at which the same tokens cost less, cheapest first; one of a name and maker once. */
function pricedModels({ tokens, now, price }: Priced, models: readonly ModelPrices[]) {
  return models
    .map((model) => {
      const { provider, cached_input_usd_mtok: cached } = model;
      const other = {
        provider,
        input: new Big(model.input_usd_mtok),
        cached_input: cached === null ? null : new Big(cached),
        cache_write: null,
        output: new Big(model.output_usd_mtok),
      };
      const name = provider === price.provider ? model.model : `${provider}/${model.model}`;
      return { name, provider, ratio: costAt('then', tokens, other).value.div(now) };
    })
    .filter(({ ratio }) => ratio.lt(1))
    .toSorted((a, b) => a.ratio.cmp(b.ratio) || (a.name < b.name ? -1 : 1));
}

function whatIf({ row, part }: Priced, { change, ratio, assumptions }: Change, forecast: Saving): WhatIf {
  const kept = rounded(ratio);
  const whole = rounded(part);
  const of = (name: keyof Saving): Big =>
    new Big(forecast[name]).times(whole).times(shares[name]).times(new Big(1).minus(kept));
  const line = (name: keyof Saving): string =>
    `${name}: ${forecast[name]} × ${exact(whole)} × ${shares[name]} × (1 − ${exact(kept)}) = ${usd(of(name))}`;
  return {
    change: `${change}: ${named(row.feature)}, ${row.model}`,
    feature: row.feature,
    model: row.model,
    price_ratio: kept.round(4).toFixed(),
    saving_usd_month: { low: usd(of('low')), expected: usd(of('expected')), high: usd(of('high')) },
    arithmetic: [line('low'), line('expected'), line('high')].join('; '),
    assumptions,
  };
}
