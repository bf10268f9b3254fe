/**
 * Segment: operators who take money.
 * Goal: a node that is to use Stripe has all it needs, and one that is not has nothing of it.
 * Value: a wrong key is found at the start, not by the first payer.
 * Strategic impact: a test key in production would give credits away.
 */
import { NetraError } from '@netra/contract';
import { expect, test } from 'vitest';
import { describeConfig, loadConfig } from '../../../server/platform/index.ts';

const production = {
  NETRA_ENV: 'production',
  NETRA_POSTGRES_URL: 'postgres://owner:pw@db.netra.example:5432/netra?sslmode=verify-full',
  NETRA_CLICKHOUSE_URL: 'https://netra:pw@analytics.netra.example/netra',
  NETRA_PUBLIC_URL: 'https://netra.example',
  NETRA_SECRET: 'Zm9yIHRlc3RzIG9ubHksIGxvbmcgZW5vdWdoIGFuZCBtaXhlZA',
};
const stripe = {
  NETRA_PAYMENTS: 'stripe',
  NETRA_STRIPE_KEY: 'sk_live_0123456789',
  NETRA_STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef',
};

/** The keys that are refused; none = it loads. */
function refused(env: Readonly<Record<string, string | undefined>>): string[] {
  try {
    loadConfig({ env });
    return [];
  } catch (error) {
    if (!(error instanceof NetraError)) throw error;
    const found = error.detail['problems'];
    expect(error.message).not.toMatch(/0123456789/);
    return (Array.isArray(found) ? found : []).map(({ key }: { key: string }) => key);
  }
}

// Planted bug that turns it red: the rule `payments` taken off the list.
test('Stripe takes both of its keys, and none of them without it', () => {
  const env = { NETRA_ENV: 'test' };
  expect(refused({ ...env, ...stripe })).toEqual([]);
  expect(loadConfig({ env: { ...env, ...stripe } }).payments).toEqual({
    provider: 'stripe',
    key: stripe.NETRA_STRIPE_KEY,
    webhook_secret: stripe.NETRA_STRIPE_WEBHOOK_SECRET,
    url: null,
  });
  expect(loadConfig({ env }).payments).toEqual({ provider: 'manual' });
  expect(refused({ ...env, NETRA_PAYMENTS: 'stripe' })).toEqual(['NETRA_STRIPE_KEY', 'NETRA_STRIPE_WEBHOOK_SECRET']);
  for (const key of ['NETRA_STRIPE_KEY', 'NETRA_STRIPE_WEBHOOK_SECRET'] as const) {
    expect(refused({ ...env, [key]: stripe[key] }), key).toEqual(['NETRA_PAYMENTS']);
    expect(refused({ ...env, ...stripe, [key]: 'pk_live_0123456789' }), key).toEqual([key]);
  }
  expect(refused({ ...env, NETRA_STRIPE_URL: 'http://127.0.0.1:1' })).toEqual(['NETRA_PAYMENTS']);
  expect(refused({ ...env, NETRA_PAYMENTS: 'paypal' })).toEqual(['NETRA_PAYMENTS']);
});

test('production takes no test key, and reaches Stripe by https, elsewhere than on this machine', () => {
  const env = { ...production, ...stripe };
  expect(refused(env)).toEqual([]);
  expect(refused({ ...env, NETRA_STRIPE_KEY: 'rk_test_0123456789' })).toEqual(['NETRA_STRIPE_KEY']);
  expect(refused({ ...env, NETRA_STRIPE_URL: 'https://stripe.proxy.example' })).toEqual([]);
  expect(refused({ ...env, NETRA_STRIPE_URL: 'http://127.0.0.1:12111' })).toEqual([
    'NETRA_STRIPE_URL',
    'NETRA_STRIPE_URL',
  ]);
});

test('neither key is shown by the description of a configuration', () => {
  const shown = JSON.stringify(describeConfig(loadConfig({ env: { NETRA_ENV: 'test', ...stripe } })));
  expect(shown).not.toContain('0123456789');
});
