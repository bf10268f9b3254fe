/**
 * Segment: all
 * Goal: a thread that is free while somebody waits in it does not stay so
 * Value: no question is left lying because two ends met in an unlucky moment
 * Strategic impact: runs that always end have to begin first
 */
import { randomUUID } from 'node:crypto';
import { suite, withOwner } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun, letStuckRuns } from '../../../server/agents/index.ts';
import { checkRunLog, createThread, readRun } from '../../../server/runs/index.ts';
import { openAgents, type AgentsNode } from '../agents-node.ts';

const on = suite();
let node: AgentsNode;
beforeAll(async () => {
  node = await openAgents(on);
});

const owner = (text: string, values: readonly unknown[]): Promise<unknown> =>
  withOwner(on.stores.postgres_url, (client) => client.query(text, [...values]));

// Planted bugs that turn it red: let_stuck_runs() that lets nobody in; it and let_next() without their look at what the
// thread is busy with (either look alone is enough).
test('a run that waits in a free thread is let in, the first of them, once; those of a busy thread go on waiting', async () => {
  const ctx = await node.newOrg('mid');
  const newThread = async (): Promise<string> =>
    (await createThread({ ctx, input: { idempotency_key: randomUUID() } })).thread_id;
  const say = async (thread: string): Promise<string> =>
    (await admitRun({ ctx, input: { thread, agent: 'rehearsal', input: null, idempotency_key: randomUUID() } })).run;
  const stateOf = async (run: string): Promise<string> => (await readRun({ ctx, input: { run } })).state;
  const [free, busy] = [await newThread(), await newThread()];
  const runs = [await say(free), await say(free), await say(free)] as const;
  const others = [await say(busy), await say(busy)] as const;
  // The first ends without letting anybody in, as where the one after it was locked at that moment.
  await owner('alter table netra.run disable trigger run_lets_next', []);
  await owner('select netra.enter_org($1), netra.cancel_run($1, $2, $3)', [ctx.principal.org_id, runs[0], 'somebody']);
  await owner('alter table netra.run enable trigger run_lets_next', []);
  const { platform } = ctx;
  // Not at once: its end may be under way.
  expect(await letStuckRuns({ platform })).toBe(0n);
  await owner(`update netra.run set ready_at = ready_at - interval '1 minute' where state = 'waiting'`, []);
  expect(await letStuckRuns({ platform })).toBe(1n);
  expect(await Promise.all(runs.map(stateOf))).toEqual(['cancelled', 'queued', 'waiting']);
  expect(await letStuckRuns({ platform })).toBe(0n);
  expect(await Promise.all(others.map(stateOf))).toEqual(['queued', 'waiting']);
  node.worker.start();
  for (const run of [...runs.slice(1), ...others])
    expect((await node.ended(ctx, run)).at(-1)?.type).toBe('agent_completed');
  expect(await checkRunLog(platform)).toEqual([]);
});
