/**
 * Segment: all
 * Goal: at the settings that an installation has by default, a run goes on in seconds after its node died
 * Value: a user sees a pause, not an outage
 * Strategic impact: the number that stands in docs/runs-ending.md is one that is measured
 *
 * Planted bug that turns it red: claim_runs that ignores expired leases. Time is printed; only that it happens is asserted.
 */
import { createClient } from '@netra/client';
import { createAccount, eventually, startServer, suite, withOwner } from '@netra/testkit';
import { expect, test } from 'vitest';

const own = suite();

test('R2: with the default lease a run of a node killed with -9 is taken over, and ends', async () => {
  const account = await createAccount({ env: own.env, plan: 'enterprise' });
  const first = await startServer({ env: own.env });
  const client = createClient({ url: first.url, token: account.token });
  const handle = await client.run({ agent: 'rehearsal', input: { steps: 30, step_ms: 200, tool: 'wait' } });
  const second = await startServer({ env: own.env });
  own.onEnd(() => second.stop());
  client.close();
  const attempt = (): Promise<number> =>
    withOwner(own.stores.postgres_url, async (owner) => {
      const text = 'select attempt from netra.run where run_id = $1';
      return (await owner.query<{ attempt: number }>(text, [handle.run])).rows[0]?.attempt ?? 0;
    });
  expect(await attempt()).toBe(1);
  process.kill(first.pid, 'SIGKILL');
  const killed_ms = performance.now();
  await eventually('the other node to have it', async () => (await attempt()) > 1, { deadline_ms: 30_000 });
  console.info(`taken over after ${Math.round(performance.now() - killed_ms)} ms`);
  const there = createClient({ url: second.url, token: account.token });
  own.onEnd(() => there.close());
  expect((await there.follow(handle.run).finished()).type).toBe('agent_completed');
  await first.kill();
}, 90_000);
