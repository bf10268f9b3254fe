import type { LanguageModelV4Usage } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { standardBook } from '../billing/index.ts';
import { mostItCosts, tokensOf } from './call-tokens.ts';

const most = { input_tokens: 1_000, output_tokens: 500 };

function usage(input: object, output: object): LanguageModelV4Usage {
  return {
    inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined, ...input },
    outputTokens: { total: undefined, text: undefined, reasoning: undefined, ...output },
  };
}

test('what the provider counted is taken as it is, with its parts', () => {
  const counted = usage({ total: 900, cacheRead: 300, cacheWrite: 200 }, { total: 700, reasoning: 600 });
  expect(tokensOf({ bytes: 40, usage: counted }, 4_000, most)).toEqual({
    input_tokens: 900,
    cached_input_tokens: 300,
    cache_write_tokens: 200,
    output_tokens: 700,
    reasoning_tokens: 600,
  });
});

test('a count that is missing is ours, of four bytes a token, at most what was reserved', () => {
  const halves = usage({ total: 900 }, {});
  expect(tokensOf({ bytes: 401, usage: halves }, 4_000, most)).toMatchObject({
    input_tokens: 900,
    output_tokens: 101,
    estimated: true,
  });
  expect(tokensOf({ bytes: 1e6, usage: null }, 1e6, most)).toMatchObject({ ...most, estimated: true });
});

test('zero is a count of nothing, and none of something', () => {
  const zero = usage({ total: 900 }, { total: 0 });
  expect(tokensOf({ bytes: 0, usage: zero }, 4_000, most)).not.toHaveProperty('estimated');
  expect(tokensOf({ bytes: 4, usage: zero }, 4_000, most)).toMatchObject({ output_tokens: 1, estimated: true });
});

test('parts that are more than their whole, or of a whole that is ours, are none', () => {
  const wrong = usage({ total: 10, cacheRead: 8, cacheWrite: 8 }, { reasoning: 5 });
  expect(tokensOf({ bytes: 4, usage: wrong }, 40, most)).toMatchObject({
    cached_input_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
  });
});

// Planted bug that turns it red: a ceiling by the plain prices alone.
test('the ceiling is by the dearest kind of token: what is written to a cache may cost more than what is not', () => {
  const at = new Date();
  const prices = standardBook();
  const plain = mostItCosts('gpt-4o', { input_tokens: 1_000, output_tokens: 0 }, prices, at);
  // $2.50 a million; one credit = $0.01.
  expect(plain).toBe(250_000n);
  const written = mostItCosts('claude-sonnet-4-5', { input_tokens: 1_000, output_tokens: 0 }, prices, at);
  // $3 a million, and $3.75 to write it into the cache.
  expect(written).toBe(375_000n);
});
