/**
 * Segment: everyone whose agents call a model that somebody else runs
 * Goal: what passes is waited for, what does not pass ends the run at once, and no wait has no end
 * Value: a minute of trouble at a provider costs a minute, not the run; a wrong key costs one call, not five
 * Strategic impact: providers fail every day, and customers see us, not them
 */
import type { RunEvent } from '@netra/contract';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../server/agents/index.ts';
import { checkBooks } from '../../../server/ledger/index.ts';
import { checkRunLog, requestCancel } from '../../../server/runs/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { serveModel, type Endpoint, type Fault } from '../openai-endpoint.ts';

const on = suite();
let endpoint: Endpoint;
let node: AgentsNode;
beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  node = await openAgents(on, {
    NETRA_MODEL_URL: endpoint.url,
    NETRA_MODEL_NAME: 'gpt-4o',
    NETRA_MODEL_KEY: 'key-of-nobody',
    NETRA_MODEL_SILENCE_MS: '300',
  });
  node.worker.start();
});

/** A run whose first model calls go wrong; its log, and when each call was made. */
async function runThrough(...faults: readonly Fault[]) {
  const ctx = await node.newOrg('mid');
  const before = endpoint.came_ms.length;
  endpoint.faults.push(...faults);
  const events = await node.ended(ctx, await node.ask(ctx, 'triage', 'What do we spend?'));
  await expectSound(ctx);
  return { events, calls: endpoint.came_ms.slice(before) };
}

async function expectSound({ platform }: Ctx): Promise<void> {
  expect(await checkRunLog(platform)).toEqual([]);
  expect(await checkBooks({ platform })).toEqual([]);
}

function failure(events: readonly RunEvent[]) {
  return only(events, 'agent_failed')[0]?.data;
}

describe('a model call that fails', () => {
  // Planted bug that turns 408 and 429 red: take all of 4xx for wrong requests. For the last two: an idle time without an end.
  it.each<Fault>([
    'status 408',
    'status 429',
    'status 500',
    'status 503',
    'status 529',
    'hang up',
    'silent',
    'silent half-way',
  ])('is made again where it may pass: %s', async (fault) => {
    const { events, calls } = await runThrough(fault);
    expect(only(events, 'agent_completed')).toHaveLength(1);
    expect(calls).toHaveLength(3);
  });

  // Planted bug that turns 409 red: the provider's own list of what may pass.
  it.each<Fault>(['status 400', 'status 401', 'status 403', 'status 404', 'status 409', 'status 422'])(
    'ends the run at the first try where the request is wrong: %s',
    async (fault) => {
      const { events, calls } = await runThrough(fault);
      expect(failure(events)).toMatchObject({ code: 'model_failed', message: `the model answered with ${fault}` });
      expect(calls).toHaveLength(1);
    },
  );

  // Planted bug: a backoff of our own, whatever the endpoint says.
  it('is not made again before the endpoint wants it to', async () => {
    const { events, calls } = await runThrough('status 429 after 1', `status 503 after ${inTwoSeconds()}`);
    expect(only(events, 'agent_completed')).toHaveLength(1);
    const [first = 0, second = 0] = calls;
    // Not a claim about speed: it must not come earlier.
    expect(second - first).toBeGreaterThanOrEqual(999);
  });

  it('is given up at once when the endpoint wants more time than there is', async () => {
    const { events, calls } = await runThrough('status 429 after 3600');
    expect(failure(events)).toMatchObject({ code: 'model_failed', message: 'the model answered with status 429' });
    expect(calls).toHaveLength(1);
  });

  // Planted bug: a loop that counts no attempts.
  it('is given up after four tries, and costs nothing', async () => {
    const faults = Array.from({ length: 4 }, (): Fault => 'status 500');
    const { events, calls } = await runThrough(...faults);
    expect(failure(events)).toMatchObject({ code: 'model_failed', credits: { spent_micro: '0' } });
    expect(calls).toHaveLength(4);
  });
});

describe('while a model call hangs', () => {
  // Planted bug: a model call without the run's signal (the endpoint is kept waiting, the run ends seconds later).
  it('a cancel hangs up on the model, and the run ends settled', async () => {
    const ctx = await node.newOrg('mid');
    const before = endpoint.left;
    endpoint.faults.push('silent half-way');
    const patient = await openAgents(on, {
      NETRA_MODEL_URL: endpoint.url,
      NETRA_MODEL_NAME: 'gpt-4o',
      NETRA_MODEL_KEY: 'key-of-nobody',
    });
    await node.worker.stop();
    patient.worker.start();
    try {
      const run = await node.ask(ctx, 'triage', 'What do we spend?');
      await eventually('the first words', async () => only(await node.log(ctx, run), 'agent_message').length > 0);
      await requestCancel({ ctx: { ...ctx, platform: patient.platform }, input: { run } });
      const events = await node.ended(ctx, run);
      expect(only(events, 'agent_cancelled')).toHaveLength(1);
      await eventually('the endpoint is left', () => endpoint.left === before + 1);
      const held = await withOwner(on.stores.postgres_url, (client) =>
        client.query('select state from netra.hold where run_id = $1', [run]),
      );
      expect(held.rows).toEqual([{ state: 'settled' }]);
      await expectSound(ctx);
    } finally {
      await patient.worker.stop();
    }
  });
});

function inTwoSeconds(): string {
  return new Date(Date.now() + 2_000).toUTCString();
}
