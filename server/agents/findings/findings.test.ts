import Big from 'big.js';
import { describe, expect, test } from 'vitest';
import type { DayRow, DuplicateRow, OutputHeavyRow, RepeatedPromptRow, ShortCallRow } from '../../analytics/index.ts';
import { standardBook } from '../../billing/index.ts';
import { forecast } from '../tools/forecast-usage.ts';
import { readPrices } from '../tools/read-prices.ts';
import { findExactDuplicates } from './exact-duplicates.ts';
import { isWorthSaying, type Basis } from './finding.ts';
import { findOutputHeavy } from './output-heavy.ts';
import { quietWindow } from './quiet-window.ts';
import { findRepeatedPrompts } from './repeated-prompts.ts';
import { findSmallerModel } from './smaller-model.ts';

const at = new Date('2026-11-01T00:00:00Z');
const basis = (observed_days: number, total_cost_usd = '100'): Basis => ({
  observed_days,
  total_cost_usd: new Big(total_cost_usd),
  names_users: true,
  ...readPrices(at, standardBook()),
});
const answer = <Row>(name: string, row: Row) => ({ query: { name, text: 'select 1', params: {} }, rows: [row] });

const duplicates: DuplicateRow = {
  feature: 'faq',
  model: 'gpt-4o',
  prompts: 60,
  calls: 1_200,
  extra_calls: 1_140,
  all_calls: 1_500,
  extra_input_tokens: '2000000',
  extra_cached_input_tokens: '0',
  extra_output_tokens: '1',
  extra_cost_usd: '4.83751',
};

describe('a saving', () => {
  test('is the observed one × 30 ÷ days, exact, and names its query and rows', () => {
    const [finding] = findExactDuplicates(answer('exact_duplicates', duplicates), basis(15)).findings;
    expect(finding?.saving_usd_month).toEqual({ low: '6.772514', expected: '9.67502', high: '9.67502' });
    expect(finding?.evidence).toContain('query exact_duplicates');
    expect(finding?.arithmetic).toContain('expected a month: 4.83751 × 30 / 15 = 9.67502');
    expect(finding?.evidence_rows).toEqual([{ query: 'exact_duplicates', row: duplicates }]);
  });

  // Planted bug: `monthOf` that extrapolates always turns this red.
  test('of less than a week is not extrapolated to a month but for its upper end', () => {
    const [finding] = findExactDuplicates(answer('exact_duplicates', duplicates), basis(1)).findings;
    expect(finding?.saving_usd_month).toEqual({ low: '3.386257', expected: '4.83751', high: '145.1253' });
    expect(finding?.confidence).toBe('low');
  });

  test('is what was paid, or what it costs by the price book today where that is less', () => {
    const dear = { ...duplicates, extra_cost_usd: '50' };
    const [finding] = findExactDuplicates(answer('exact_duplicates', dear), basis(30)).findings;
    // 2M × $2.5 a million, and one output token.
    expect(finding?.saving_usd_month.expected).toBe('5.00001');
  });

  test('that is noise beside the cost is no finding', () => {
    expect(isWorthSaying(new Big('0.099'), basis(30))).toBe(false);
    expect(isWorthSaying(new Big('0.1'), basis(30))).toBe(true);
    const noise = findExactDuplicates(answer('exact_duplicates', duplicates), basis(30, '1000000'));
    expect(noise.findings).toEqual([]);
    const rare = findExactDuplicates(answer('exact_duplicates', { ...duplicates, all_calls: 50_000 }), basis(30));
    expect(rare.findings).toEqual([]);
  });

  const prefix: RepeatedPromptRow = {
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
    written_tokens_5min: '348000',
    cost_usd: '30',
  };
  const cached = (row: RepeatedPromptRow) => findRepeatedPrompts(answer('repeated_prompts', row), basis(30));

  test('by prompt caching is priced by the book: its discount, its surcharge for writing, none where it has none', () => {
    // 10,452,000 × ($2 − $0.5) a million.
    expect(cached(prefix).findings[0]?.saving_usd_month).toEqual({
      low: '12.5424',
      expected: '15.678',
      high: '16.191',
    });
    // 10,452,000 × ($3 − $0.3) − 348,000 × ($3.75 − $3), a million.
    const written = cached({ ...prefix, model: 'claude-sonnet-4-5' });
    expect(written.findings[0]?.saving_usd_month.expected).toBe('27.9594');
    expect(cached({ ...prefix, model: 'in-house' })).toEqual({ findings: [], gaps: [] });
  });

  test('by prompt caching is not guessed where the length of the prefix is not in the data', () => {
    const { findings, gaps } = cached({ ...prefix, prefix_tokens_reported: false });
    expect(findings).toEqual([]);
    expect(gaps[0]?.missing).toContain('send prefix_tokens');
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
    const smaller = (change: Partial<ShortCallRow>) =>
      findSmallerModel(answer('short_calls', { ...row, ...change }), basis(30)).findings;
    // $2.6 − (1M × $0.15 + 10,000 × $0.6) a million.
    expect(smaller({})[0]?.saving_usd_month.expected).toBe('2.444');
    expect(smaller({ all_calls: 2_000 })).toEqual([]);
    expect(smaller({ model: 'gpt-4o-mini' })).toEqual([]);
  });

  test('by shorter answers needs long ones that stand apart from the rest', () => {
    const row: OutputHeavyRow = {
      feature: 'essays',
      model: 'gpt-4o',
      calls: 1_000,
      median_output_tokens: '1000',
      longest_answers: 100,
      between_answers: 10,
      long_answers: 100,
      long_output_tokens: '800000',
      tokens_over_median: '700000',
      tokens_over_twice_median: '600000',
      long_cost_usd: '8',
    };
    const heavy = (change: Partial<OutputHeavyRow>) =>
      findOutputHeavy(answer('output_heavy', { ...row, ...change }), basis(30)).findings;
    expect(heavy({})[0]?.saving_usd_month).toEqual({ low: '3', expected: '6', high: '7' });
    expect(heavy({ between_answers: 60 })).toEqual([]);
    expect(heavy({ calls: 300 })).toEqual([]);
  });
});

describe('the hours of a job', () => {
  const hours = (calls: Readonly<Record<number, number>>) =>
    Array.from({ length: 24 }, (_, at_hour) => calls[at_hour] ?? 0);

  test('are the shortest window, also around midnight; an office has none', () => {
    expect(quietWindow(hours({ 23: 50, 0: 60, 1: 40 }))).toMatchObject({ from: 23, to: 2, hours: 3, calls: 150 });
    expect(quietWindow(hours({ 7: 1, 8: 1, 9: 1, 10: 1, 11: 1, 12: 1, 13: 1, 14: 1 }))).toBeNull();
    expect(quietWindow(hours({}))).toBeNull();
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
