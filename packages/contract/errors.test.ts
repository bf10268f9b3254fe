// Planted bug that turns this red: give insufficient_credits another status, or two codes one title and status.
import { expect, test } from 'vitest';
import { errorCatalogue, isErrorCode, NetraError } from './errors.ts';

test('what an error means is its status: 402 credits, 403 plan or role, 409 conflict, 429 rate', () => {
  expect(errorCatalogue.insufficient_credits.status).toBe(402);
  expect([errorCatalogue.agent_not_in_plan.status, errorCatalogue.forbidden.status]).toEqual([403, 403]);
  expect(errorCatalogue.idempotency_key_reused.status).toBe(409);
  expect([errorCatalogue.rate_limited.status, errorCatalogue.concurrent_runs.status]).toEqual([429, 429]);
});

test('every code has a status that HTTP knows, a title of its own, and nothing else is a code', () => {
  const titles = Object.values(errorCatalogue).map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  for (const { status } of Object.values(errorCatalogue)) expect(status >= 400 && status < 600).toBe(true);
  expect(isErrorCode('not_found')).toBe(true);
  expect(isErrorCode('toString')).toBe(false);
});

test('an error carries its facts and its cause', () => {
  const cause = new Error('disk');
  const error = new NetraError('internal', 'Later.', { limit: 'x' }, { cause });
  expect(error).toMatchObject({ code: 'internal', status: 500, retryable: true, detail: { limit: 'x' }, cause });
});
