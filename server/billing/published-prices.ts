import {
  findProvider,
  type TieredPrices,
  type ModelInfo,
  type ModelPrice,
  type Provider,
} from '@pydantic/genai-prices';
import { Big } from 'big.js';
import type { Price, TokenKind } from './price-book.ts';

/** Whose prices the book takes over, makers before resellers: a bare model name means the maker's. */
const providerIds = [
  'openai',
  'anthropic',
  'google',
  'mistral',
  'deepseek',
  'x-ai',
  'cohere',
  'moonshotai',
  'minimax',
  'zai',
  'perplexity',
  'azure',
  'aws',
  'groq',
  'together',
  'cerebras',
  'fireworks',
] as const;

const kindOf: Readonly<Record<string, TokenKind>> = {
  input_mtok: 'input',
  cache_read_mtok: 'cached_input',
  cache_write_mtok: 'cache_write',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
};

/** Before any price: the date of one that has always been in force. */
const always = '0001-01-01';

/** The providers of the book, as the package publishes them. */
export function publishedProviders(): readonly Provider[] {
  return providerIds.map((providerId) => {
    const provider = findProvider({ providerId });
    if (provider === undefined) throw new Error(`@pydantic/genai-prices no longer knows ${providerId}`);
    return provider;
  });
}

/** The token prices that the package publishes. Free kinds are left out: what has no price is refused, not given. */
export function publishedPrices(providers: readonly Provider[]): readonly Price[] {
  return providers.flatMap((provider) => provider.models.flatMap((model) => pricesOf(provider.id, model)));
}

function pricesOf(provider: string, model: ModelInfo): readonly Price[] {
  const dated = new Map<string, ModelPrice>();
  const versions = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  for (const version of versions) {
    // Prices by time of day come after the off-peak one and are the standard; a cost is not understated.
    const from = version.constraint?.type === 'start_date' ? version.constraint.start_date : always;
    dated.set(from, version.prices);
  }
  return [...dated].flatMap(([valid_from, prices]) =>
    Object.entries(prices).flatMap(([key, price]) => {
      const kind = kindOf[key];
      if (kind === undefined || price === undefined) return [];
      return tiersOf(price).flatMap(({ above_tokens, usd }) =>
        usd > 0
          ? [{ provider, model: model.id, kind, valid_from, above_tokens, usd_mtok: new Big(usd).toFixed() }]
          : [],
      );
    }),
  );
}

function tiersOf(price: number | TieredPrices): readonly { above_tokens: number; usd: number }[] {
  if (typeof price === 'number') return [{ above_tokens: 0, usd: price }];
  const tiers = price.tiers.map(({ start, price: usd }) => ({ above_tokens: start, usd }));
  return [{ above_tokens: 0, usd: price.base }, ...tiers];
}
