/**
 * Segment: whoever pays a provider, and whoever pays us.
 * Goal: each model call is charged for what it was, also by providers that count wrongly, late or not at all.
 * Value: a gateway that forgets to count does not give the provider's work away, and one that counts nonsense bills nobody
 * a fortune.
 * Strategic impact: any OpenAI-compatible endpoint can be put behind us without becoming a hole in the books.
 */
import { randomUUID } from 'node:crypto';
import type { RunEvent } from '@netra/contract';
import { eventually, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { admitRun, openModel } from '../../../server/agents/index.ts';
import { rateUsage, standardBook } from '../../../server/billing/index.ts';
import { checkBooks, readBalance } from '../../../server/ledger/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { readRun, requestCancel } from '../../../server/runs/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { serveModel, type Endpoint, type Fault } from '../openai-endpoint.ts';

const on = suite();
let endpoint: Endpoint;
let node: AgentsNode;
let observing: AgentsNode;
beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  node = await openAgents(on, model);
  observing = await openAgents(on, { ...model, NETRA_CREDITS: 'observe' });
});

interface Ended {
  readonly ctx: Ctx;
  readonly events: readonly RunEvent[];
  /** As the endpoint counted them, whatever it told. */
  readonly calls: Endpoint['calls'];
}

/** A run of triage whose first calls go wrong in these ways. */
async function run(plan: string, faults: Fault[], on_node = node): Promise<Ended> {
  const ctx = await on_node.newOrg(plan);
  const before = endpoint.calls.length;
  endpoint.faults.splice(0, Infinity, ...faults);
  const { run: id } = await admitRun({ ctx, input: { agent: 'triage', input: null, idempotency_key: randomUUID() } });
  on_node.worker.start();
  const events = await eventually('a run that ended or waits', async () => {
    const { state } = await readRun({ ctx, input: { run: id } });
    return ['queued', 'running'].includes(state) ? null : on_node.log(ctx, id);
  });
  await on_node.worker.stop();
  expect(await checkBooks({ platform: node.platform })).toEqual([]);
  return { ctx, events, calls: endpoint.calls.slice(before) };
}

const usageOf = (events: readonly RunEvent[]) => only(events, 'credits_charged').map(({ data }) => data.usage);

function costOf(input_tokens: number, output_tokens: number): bigint {
  const usage = { model: 'gpt-4o', input_tokens, cached_input_tokens: 0, output_tokens, at: new Date() };
  return rateUsage(usage, standardBook()).cost_micro;
}

const debtOf = async (ctx: Ctx): Promise<bigint> => (await readBalance({ ctx, input: {} })).debt_micro;

describe('a provider that does not tell what it has used', () => {
  // Planted bug that turns each red: tokensOf() that takes what the provider says, whatever it says.
  it.each(['no usage', 'empty usage', 'zero usage', 'negative usage', 'broken usage'] as const)(
    'is charged by what was sent and received: %s',
    async (fault) => {
      const { events, calls } = await run('mid', [fault]);
      expect(events.at(-1)?.type).toBe('agent_completed');
      const [guessed, ...others] = usageOf(events);
      expect(guessed).toMatchObject({ estimated: true });
      expect(others.every((usage) => usage?.estimated === undefined)).toBe(true);
      const [first] = calls;
      // By hand: near what a right count would have been, and at most what was reserved.
      const right = first?.usage ?? { prompt_tokens: 0, completion_tokens: 0 };
      expect(guessed?.input_tokens).toBeGreaterThan(right.prompt_tokens / 2);
      expect(guessed?.input_tokens).toBeLessThan(right.prompt_tokens * 2);
      expect(guessed?.output_tokens).toBeGreaterThan(right.completion_tokens / 2);
      expect(guessed?.output_tokens).toBeLessThanOrEqual(first?.request.max_tokens ?? 0);
      const [charge] = only(events, 'credits_charged');
      expect(BigInt(charge?.data.amount_micro ?? 0)).toBe(
        costOf(guessed?.input_tokens ?? 0, guessed?.output_tokens ?? 0),
      );
    },
  );
});

describe('a provider that has worked for nothing', () => {
  // Planted bug that turns it red: callModel() that looks at why an answer ended before it keeps the count.
  it('is paid what it counted for an answer that it filtered itself', async () => {
    const { events, calls } = await run('mid', ['filtered']);
    expect(only(events, 'agent_failed')[0]?.data.code).toBe('model_failed');
    const counted = calls[0]?.usage;
    expect(usageOf(events)).toMatchObject([
      { input_tokens: counted?.prompt_tokens, output_tokens: counted?.completion_tokens, broken_off: true },
    ]);
    expect(only(events, 'agent_failed')[0]?.data.credits.spent_micro).toBe(
      `${costOf(counted?.prompt_tokens ?? 0, counted?.completion_tokens ?? 0)}`,
    );
  });
});

describe('a call that is thrown out of', () => {
  // Planted bug that turns it red: chargeFailure() that throws what aborted the run before it charges.
  it('by a cancel in the middle of its answer costs what had come of it, and the rest goes back', async () => {
    const ctx = await node.newOrg('mid');
    endpoint.faults.splice(0, Infinity, 'silent half-way');
    node.worker.start();
    const id = await node.ask(ctx, 'triage', null);
    await eventually('the first words', async () => only(await node.log(ctx, id), 'agent_message').length > 0 || null);
    await requestCancel({ ctx, input: { run: id } });
    const events = await node.ended(ctx, id);
    await node.worker.stop();
    const [charge, ...more] = only(events, 'credits_charged');
    expect(more).toEqual([]);
    expect(charge?.data.usage).toMatchObject({ estimated: true, broken_off: true });
    const spent = BigInt(charge?.data.amount_micro ?? 0);
    expect(only(events, 'agent_cancelled')[0]?.data.credits.spent_micro).toBe(`${spent}`);
    const left = { balance_micro: 5_000_000_000n - spent, held_micro: 0n };
    expect(await readBalance({ ctx, input: {} })).toMatchObject(left);
  });

  // Planted bug that turns it red: abandonRun() that leaves the run where it is.
  it('by a refusal of the provider, after its credits were reserved, gives all of them back', async () => {
    const { ctx, events } = await run('mid', ['status 401']);
    expect(only(events, 'agent_failed')[0]?.data).toMatchObject({
      code: 'model_failed',
      credits: { spent_micro: '0' },
    });
    expect(BigInt(only(events, 'agent_failed')[0]?.data.credits.held_micro ?? 0)).toBeGreaterThan(10_000_000n);
    const left = { balance_micro: 5_000_000_000n, held_micro: 0n };
    expect(await readBalance({ ctx, input: {} })).toMatchObject(left);
  });
});

describe('what is reserved for a call', () => {
  // Planted bug that turns it red: a ceiling of half the output that the call allows, or callOptions() without a limit.
  it('covers the longest answer that the call allows, each time: nothing is drawn beyond the hold', async () => {
    const { ctx, events, calls } = await run('mid', Array<Fault>(20).fill('to the limit'));
    expect(events.at(-1)?.type).toBe('agent_completed');
    const limits = calls.map(({ request }) => request.max_tokens ?? 0);
    expect(Math.min(...limits)).toBeGreaterThan(0);
    expect(usageOf(events).map((usage) => usage?.output_tokens)).toEqual(limits);
    const beyond = `select from netra.transfer where org_id = $1 and kind = 'overage'`;
    const drawn = await withOwner(on.stores.postgres_url, (client) => client.query(beyond, [ctx.principal.org_id]));
    expect(drawn.rowCount).toBe(0);
  });

  // Planted bug that turns it red: tokensOf() that cuts a count off at what was reserved.
  it('is no bound to a provider that passes its limit: the rest is charged to the same run, as a debt where it must', async () => {
    const { ctx, events, calls } = await run('free', ['beyond the limit']);
    const [charge] = only(events, 'credits_charged');
    const [first] = calls;
    const answer = 100 * (first?.request.max_tokens ?? 0);
    expect(BigInt(charge?.data.amount_micro ?? 0)).toBe(costOf(first?.usage?.prompt_tokens ?? 0, answer));
    // It waits for credits, and not for its debt to be forgotten.
    expect(events.at(-1)).toMatchObject({ type: 'approval_requested', data: { tool: 'credits' } });
    expect(await debtOf(ctx)).toBeGreaterThan(0n);
  });

  // Planted bug that turns it red: capture() that draws by the plan on a node that observes.
  it('is no bound on a node that observes either, and makes no debt there: what is beyond is observed', async () => {
    const { ctx, events } = await run('free', ['beyond the limit'], observing);
    expect(events.at(-1)?.type).toBe('agent_completed');
    expect(await debtOf(ctx)).toBe(0n);
    const { overage_micro } = await readBalance({ ctx, input: {} });
    expect(overage_micro).toBeGreaterThan(0n);
  });
});
