import Big from 'big.js';
import { describe, expect, test } from 'vitest';
import type { DayRow, DuplicateRow, OutputHeavyRow, RepeatedPromptRow, ShortCallRow } from '../../analytics/index.ts';
import { readPrices } from '../tools/read-prices.ts';
import { forecast } from '../tools/forecast-usage.ts';
import { findExactDuplicates } from './exact-duplicates.ts';
import { isWorthSaying, perMonth, type Basis } from './finding.ts';
import { findOutputHeavy } from './output-heavy.ts';
import { findRepeatedPrompts } from './repeated-prompts.ts';
import { standardBook } from '../../billing/index.ts';
import { findSmallerModel } from './smaller-model.ts';

const at = new Date('2026-11-01T00:00:00Z');
const basis = (observed_days: number, total_cost_usd = '100'): Basis => ({
  observed_days,
  total_cost_usd: new Big(total_cost_usd),
  ...readPrices(at, standardBook()),
});
const answer = <Row>(name: string, row: Row) => ({ query: { name, text: 'select 1', params: {} }, rows: [row] });

const duplicates: DuplicateRow = {
  feature: 'faq',
  model: 'gpt-4o',
  prompts: 60,
  calls: 1_200,
  extra_calls: 1_140,
  extra_input_tokens: '1',
  extra_output_tokens: '1',
  extra_cost_usd: '4.83751',
};

describe('a saving', () => {
  test('is the observed one × 30 ÷ days, exact, and names its query and rows', () => {
    const [finding] = findExactDuplicates(answer('exact_duplicates', duplicates), basis(15));
    expect(finding?.saving_usd_month).toEqual({ low: '6.772514', expected: '9.67502', high: '9.67502' });
    expect(finding?.evidence).toContain('query exact_duplicates');
    expect(finding?.evidence_rows).toEqual([{ query: 'exact_duplicates', row: duplicates }]);
  });

  // Planted bug: `perMonth` that extrapolates always turns this red.
  test('of less than a week is not extrapolated to a month but for its upper end', () => {
    const observed = new Big('2');
    expect(perMonth({ low: observed, expected: observed, high: observed }, basis(1))).toEqual({
      low: '2',
      expected: '2',
      high: '60',
    });
  });

  test('that is noise beside the cost is no finding', () => {
    expect(isWorthSaying(new Big('0.099'), basis(30))).toBe(false);
    expect(isWorthSaying(new Big('0.1'), basis(30))).toBe(true);
    expect(findExactDuplicates(answer('exact_duplicates', duplicates), basis(30, '1000000'))).toEqual([]);
  });

  test('by prompt caching is priced by the price book’s discount, and absent where the book has none', () => {
    const row: RepeatedPromptRow = {
      feature: 'contracts',
      model: 'gpt-4.1',
      prefixes: 1,
      calls: 1_800,
      prefix_tokens: '6000',
      prefix_tokens_reported: true,
      input_tokens: '13500000',
      cached_input_tokens: '0',
      cacheable_tokens: '10794000',
      cacheable_tokens_5min: '10452000',
      cost_usd: '30',
    };
    const [finding] = findRepeatedPrompts(answer('repeated_prompts', row), basis(30));
    // 10,452,000 × ($2 − $0.5) a million.
    expect(finding?.saving_usd_month).toEqual({ low: '12.5424', expected: '15.678', high: '16.191' });
    expect(findRepeatedPrompts(answer('repeated_prompts', { ...row, model: 'in-house' }), basis(30))).toEqual([]);
  });

  test('by a smaller model is the cost now less the same tokens at the smaller one’s price', () => {
    const row: ShortCallRow = {
      feature: 'routing',
      model: 'gpt-4o-2024-08-06',
      calls: 1_000,
      errors: 0,
      input_tokens: '1000000',
      cached_input_tokens: '0',
      output_tokens: '10000',
      cost_usd: '2.6',
      all_calls: 1_000,
      p95_output_tokens: '12',
      p95_input_tokens: '1500',
    };
    const [finding] = findSmallerModel(answer('short_calls', row), basis(30));
    // $2.6 − (1M × $0.15 + 10,000 × $0.6) a million.
    expect(finding?.saving_usd_month.expected).toBe('2.444');
    expect(findSmallerModel(answer('short_calls', { ...row, all_calls: 2_000 }), basis(30))).toEqual([]);
    expect(findSmallerModel(answer('short_calls', { ...row, model: 'gpt-4o-mini' }), basis(30))).toEqual([]);
  });

  test('by shorter answers needs answers of unlike length', () => {
    const row: OutputHeavyRow = {
      feature: 'essays',
      model: 'gpt-4o',
      calls: 100,
      errors: 0,
      input_tokens: '10000',
      cached_input_tokens: '0',
      output_tokens: '110000',
      cost_usd: '1.2',
      output_per_input: 11,
      p50_output_tokens: '1000',
      p95_output_tokens: '1300',
    };
    expect(findOutputHeavy(answer('output_heavy', row), basis(30, '2'))).toEqual([]);
    const [finding] = findOutputHeavy(answer('output_heavy', { ...row, output_tokens: '200000' }), basis(30, '2'));
    // (200,000 − 100 × 1,000) × $10 a million, half of it expected.
    expect(finding?.saving_usd_month).toEqual({ low: '0.25', expected: '0.5', high: '1' });
  });
});

describe('a forecast', () => {
  const day = (cost_usd: string): DayRow => ({
    day: '2026-10-01',
    calls: 1,
    errors: 0,
    input_tokens: '1',
    cached_input_tokens: '0',
    output_tokens: '1',
    cost_usd,
  });

  test('is the mean full day × 30, and there is none with fewer than seven full days', () => {
    const days = ['0.1', ...Array.from({ length: 7 }, () => '2'), '0.3'].map(day);
    expect(forecast(days)?.next_30_days_usd).toEqual({ low: '60', expected: '60', high: '60' });
    expect(forecast(days.slice(1))).toBeNull();
  });
});
