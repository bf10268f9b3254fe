import { expect, it } from 'vitest';
import { openInProcessRedis } from '../platform/index.ts';
import { apiKeyStaleness_ms, createApiKeyCache, type StoredApiKey } from './api-key-cache.ts';

const keyOf = (key_id: string): StoredApiKey => ({
  key_id,
  org_id: 'org',
  user_id: 'user',
  role: 'member',
  expires_at_ms: null,
});

function cacheAt(start_ms: number) {
  let now_ms = start_ms;
  let lookUps = 0;
  const clock = { nowMs: () => now_ms };
  const cache = createApiKeyCache({ clock, redis: openInProcessRedis({ clock }) });
  const find = (hash: string, answer: StoredApiKey | null = keyOf(hash)): Promise<StoredApiKey | null> =>
    cache.find(hash, () => {
      lookUps += 1;
      return Promise.resolve(answer);
    });
  return { cache, find, lookUps: () => lookUps, pass: (ms: number) => (now_ms += ms) };
}

// Planted bug: compare with `<=`, or count the age from the answer.
it('a key is never answered from memory once it is as old as the stated bound, which is under ten seconds', async () => {
  const { find, lookUps, pass } = cacheAt(1_000);
  await find('a');
  pass(apiKeyStaleness_ms - 1);
  await find('a');
  expect(lookUps()).toBe(1);
  pass(1);
  expect(await find('a', null)).toBeNull();
  expect(lookUps()).toBe(2);
  expect(apiKeyStaleness_ms).toBeLessThanOrEqual(10_000);
});

// Planted bug: keep misses.
it('guessed keys take no place from real ones', async () => {
  const { find, lookUps } = cacheAt(0);
  await find('real');
  for (let guess = 0; guess < 20_000; guess += 1) await find(`guess ${guess}`, null);
  await find('real');
  expect(lookUps()).toBe(20_001);
});

// Planted bug: await inside find before the entry is set.
it('callers who ask for the same key at once share one lookup', async () => {
  const { find, lookUps } = cacheAt(0);
  await Promise.all(Array.from({ length: 50 }, () => find('a')));
  expect(lookUps()).toBe(1);
});

// Planted bug: keep a rejected promise.
it('a lookup that failed is not remembered', async () => {
  const { cache, find } = cacheAt(0);
  await expect(cache.find('a', () => Promise.reject(new Error('database away')))).rejects.toThrow('database away');
  expect(await find('a')).toEqual(keyOf('a'));
});

// Planted bug: only forget entries whose lookup has ended.
it('a revoked key is forgotten at once, also while it is being looked up', async () => {
  const { cache, find, lookUps } = cacheAt(0);
  await find('a');
  const pending = find('b');
  await cache.forget({ key_id: 'a' });
  await pending;
  await find('a');
  await find('b');
  expect(lookUps()).toBe(4);
});
