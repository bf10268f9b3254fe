/**
 * Segment: every customer; most of all the team lead who is told what to change.
 * Goal: what the built-in agents recommend is there, is worth what they say, and can be computed again by anybody.
 * Value: no week is spent on a saving that is none, and no run does or costs more than its plan says.
 * Strategic impact: findings that hold are why a first user stays.
 *
 * Planted bugs that turn this red: a `standApart` that always agrees; an equation of a month that multiplies with 31.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkBooks, readBalance } from '../../../server/ledger/index.ts';
import { only, openAgents, type AgentsNode } from '../agents-node.ts';
import { azureFigures } from './findings/azure-figures.ts';
import { failedEquations } from './findings/check-equations.ts';
import { faultsOf, reportOn, runScenarios } from './findings/run-scenarios.ts';
import { csvOf, makeScenario } from './findings/scenario.ts';

const azure = join(import.meta.dirname, '../../../../shared/data/azure-llm-inference-code-2023.csv');

const on = suite();
let node: AgentsNode;
beforeAll(async () => {
  node = await openAgents(on);
  node.worker.start();
});

describe('agents-1', () => {
  it('agents-1 finds what was planted in 24 generated organisations, to the size, and nothing in clean ones', async () => {
    // 1 to 99 were looked at while the rules were made; these were not.
    const measured = await runScenarios(node, 1_000, 24);
    console.log(measured.table);
    expect(measured.faults).toEqual([]);
    expect(measured.planted).toBeGreaterThan(24);
    expect(measured.recall).toBeGreaterThanOrEqual(0.95);
    expect(measured.precision).toBeGreaterThanOrEqual(0.95);
    const exact = [...measured.tallies.values()].filter((tally) => tally.exact);
    expect(Math.max(...exact.flatMap(({ errors }) => errors))).toBeLessThan(0.02);
  }, 300_000);

  it.each(existsSync(azure) ? [azure] : [])(
    'agents-1 on real usage every figure is what the file itself says',
    async (path) => {
      const text = readFileSync(path, 'utf8');
      const constants = {
        model: 'gpt-4o',
        map: { time: 'TIMESTAMP', input_tokens: 'ContextTokens', output_tokens: 'GeneratedTokens' },
        synthetic: false,
      };
      const report = await reportOn(node, await node.newOrg('mid'), { file: Buffer.from(text), constants });
      const figures = azureFigures(text);
      expect(report.usage).toMatchObject(figures.totals);
      expect(await faultsOf(node, report)).toEqual([]);
      // One hour of calls that name no user and no feature: nothing is claimed, and why is said.
      expect(report.recommendations).toEqual([]);
      const gaps = report.not_enough_data.map(({ about, missing }) => `${about}: ${missing}`).join('\n');
      expect(gaps).toContain(
        `${figures.oversized_calls.toLocaleString('en-US')} calls of gpt-4o send over 4 × the median`,
      );
      expect(gaps).toMatch(/a forecast: the data covers 1 day/);
      expect(gaps).toMatch(/repeated questions: no call has a prompt hash/);
    },
  );
});

describe('research', () => {
  it('compares the market by the forecast, with ranges and assumptions, and claims nothing of quality', async () => {
    const file = csvOf(makeScenario(4));
    const report = await reportOn(node, await node.newOrg('enterprise'), { file, agent: 'research' });
    expect(report.scenarios.length).toBeGreaterThan(3);
    for (const { change, arithmetic, assumptions, saving_usd_month: saving } of report.scenarios) {
      expect(failedEquations(arithmetic, 3)).toEqual([]);
      expect(arithmetic).toContain(`= ${saving.expected}`);
      expect(Number(saving.low)).toBeLessThanOrEqual(Number(saving.expected));
      expect(Number(saving.expected)).toBeLessThanOrEqual(Number(saving.high));
      if (change.startsWith('switch')) expect(assumptions.join()).toContain('good enough is not known');
    }
  });
});

describe('agents-2', () => {
  it('agents-2 an agent that the plan does not have is refused before any work, and the refusal names the plan', async () => {
    for (const [plan, agent, lifts] of [
      ['free', 'data', 'early'],
      ['free', 'optimization', 'mid'],
      ['early', 'optimization', 'mid'],
    ] as const) {
      const ctx = await node.newOrg(plan);
      const before = await readBalance({ ctx, input: {} });
      await expect(node.ask(ctx, agent, null)).rejects.toMatchObject({
        code: 'agent_not_in_plan',
        detail: { limit: 'agents', used: agent, plan_that_lifts_it: lifts },
      });
      expect(await readBalance({ ctx, input: {} })).toEqual(before);
      const rows = await withOwner(on.stores.postgres_url, (client) =>
        client.query('select 1 from netra.run where org_id = $1', [ctx.principal.org_id]),
      );
      expect(rows.rows).toEqual([]);
    }
  });

  it('agents-2 the time limit stops the run, settles what the log shows as done, and says so', async () => {
    // Plans are dated data: from now on this one gives one second.
    await withOwner(on.stores.postgres_url, (client) =>
      client.query(
        `insert into netra.plan
         select (jsonb_populate_record(p, jsonb_build_object('valid_from', now(), 'seconds_run', 1))).*
           from netra.plan p where p.plan_id = 'free'`,
      ),
    );
    const ctx = await node.newOrg('free');
    const before = await readBalance({ ctx, input: {} });
    const started_ms = performance.now();
    const events = await node.ended(ctx, await node.ask(ctx, 'rehearsal', { steps: 50, step_ms: 200 }));
    expect(performance.now() - started_ms).toBeLessThan(8_000);
    const [end] = only(events, 'agent_failed');
    expect(end?.data).toMatchObject({
      code: 'deadline_exceeded',
      limit: { limit: 'seconds_run', max: '1', plan_that_lifts_it: 'early' },
    });
    // Work was done, so the fee of what it is expected to do is earned; all else goes back, and nothing stays held.
    const done = only(events, 'tool_completed').length;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(49);
    const { held_micro, spent_micro, released_micro } = end?.data.credits ?? {};
    expect(BigInt(spent_micro ?? 0) + BigInt(released_micro ?? 0)).toBe(BigInt(held_micro ?? -1));
    expect(spent_micro).toBe('1000000');
    const after = await readBalance({ ctx, input: {} });
    expect(after.held_micro).toBe(0n);
    expect(after.balance_micro).toBe(before.balance_micro - 1_000_000n);
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
  });
});
