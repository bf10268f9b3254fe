import { describe, expect, it } from 'vitest';
import { checkRow, maxTokens } from './check-row.ts';
import { ratingBy } from './rate-call.ts';
import { standardBook } from '../billing/index.ts';
import { usageColumns, type UsageColumn } from './schemas.ts';
import { fromPico, toPico, UsageSums } from './usage-sums.ts';

const rules = { model: 'gpt-4o', user: undefined, rate: ratingBy(standardBook(), new Date()).rate };
const good = { time: '2026-01-01T00:00:00Z', input_tokens: '1000', output_tokens: '100' };

function check(values: Partial<Record<UsageColumn, string>>) {
  const all = { ...good, ...values };
  return checkRow(
    usageColumns.map((column) => all[column as keyof typeof all] ?? ''),
    rules,
  );
}

describe('checkRow', () => {
  it('prices a call by the price book, exactly', () => {
    // gpt-4o: $2.50 a million in, $1.25 cached, $10 out.
    expect(check({ cached_input_tokens: '400' })).toMatchObject({ model: 'gpt-4o', cost_usd: '0.003' });
  });

  it('takes the file’s own cost as it stands', () => {
    expect(check({ cost_usd: '0.000000000001' })).toMatchObject({ cost_usd: '0.000000000001', price_book: 'given' });
  });

  // Planted bug that turns it red: Number(text) instead of the pattern takes '', ' ', '1e3' and '0x10'.
  it.each([
    [{ input_tokens: '-5' }, 'input_tokens is negative: "-5"'],
    [{ input_tokens: '' }, 'input_tokens is empty'],
    [{ output_tokens: '1e3' }, 'output_tokens is not a whole number: "1e3"'],
    [{ output_tokens: '0x10' }, 'output_tokens is not a whole number: "0x10"'],
    [{ output_tokens: '6.5' }, 'output_tokens is not a whole number: "6.5"'],
    [{ output_tokens: '9007199254740993' }, `output_tokens is more than ${maxTokens}: "9007199254740993"`],
    [{ cached_input_tokens: '1001' }, 'cached_input_tokens (1001) is more than input_tokens (1000)'],
    [{ time: 'now' }, 'time is not a date and time: "now"'],
    [{ time: '1970-01-01T00:00:00Z' }, 'time is not between 2015-01-01 and 2100-01-01: "1970-01-01T00:00:00Z"'],
    [{ latency_ms: '-1' }, 'latency_ms is not a number of milliseconds: "-1"'],
    [{ cost_usd: '-0.1' }, 'cost_usd is not an amount of US dollars with at most 12 decimals: "-0.1"'],
    [{ feature: 'x'.repeat(513) }, 'feature is longer than 512 characters'],
  ])('refuses %j', (values, reason) => {
    expect(check(values)).toBe(reason);
  });

  it('names models that are like one without a price', () => {
    expect(check({ model: 'gpt-4o-minni' })).toMatch(/^model "gpt-4o-minni" has no price; .*gpt-4o-mini/);
  });
});

describe('UsageSums', () => {
  // Planted bug that turns it red: without emptying into the bigint, the sum loses units beyond 2^53.
  it('stays exact beyond what a double holds', () => {
    const sums = new UsageSums();
    const row = { at: '', model: '', input_tokens: maxTokens - 1, cached_input_tokens: 0, output_tokens: 1 };
    for (let n = 0; n < 20_001; n += 1) sums.add({ ...row, cost_usd: '0.000000000001' });
    expect(sums.totals()).toMatchObject({
      calls: 20_001,
      input_tokens: (20_001n * BigInt(maxTokens - 1)).toString(),
      cost_usd: '0.000000020001',
    });
  });

  it.each(['0', '0.5', '12.000000000001', '99999999999999999999'])('writes %s as it reads it', (usd) => {
    expect(fromPico(toPico(usd))).toBe(usd);
  });
});
