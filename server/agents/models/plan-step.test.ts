import { describe, expect, test } from 'vitest';
import type { CoverageRow } from '../../analytics/index.ts';
import { optimizationAgent } from '../builtin/optimization.ts';
import { triageAgent } from '../builtin/triage.ts';
import type { RecordedResult } from '../report/facts.ts';
import { askAbout, planStep } from './plan-step.ts';

const full: CoverageRow = {
  rows: 20_000,
  days: 30,
  first_at: '2026-10-01 00:00:00.0000000',
  last_at: '2026-10-30 23:00:00.0000000',
  span_days: 29.96,
  with_model: 20_000,
  with_user: 20_000,
  with_feature: 20_000,
  with_prompt_hash: 20_000,
  with_prefix_hash: 5_000,
  with_cached: 10,
  with_latency: 20_000,
  with_error: 3,
  with_retry_of: 3,
  with_cost: 20_000,
  synthetic: 0,
};
/** What a file has that only says when, and how many tokens, of one model named by hand. */
const bare: CoverageRow = {
  ...full,
  days: 1,
  span_days: 0.04,
  with_user: 0,
  with_feature: 0,
  with_prompt_hash: 0,
  with_prefix_hash: 0,
  with_error: 0,
};
const none: CoverageRow = { ...bare, rows: 0, days: 0, span_days: 0, with_model: 0, with_cost: 0 };

const query = (name: string) => ({ name, text: 'select 1', params: {} });
const answer = (tool: string, row: unknown): RecordedResult => ({
  tool,
  ok: true,
  output: { query: query(tool), rows: [row] },
});
const totals = { calls: 1, errors: 0, input_tokens: '2', cached_input_tokens: '0', output_tokens: '3', cost_usd: '4' };

function triaged(coverage: CoverageRow): RecordedResult[] {
  const at = { first_at: coverage.first_at, last_at: coverage.last_at };
  return [answer('usage_coverage', coverage), answer('usage_totals', { ...totals, ...at, calls: coverage.rows })];
}

/** A tool that found nothing. */
function silent(tool: string): RecordedResult {
  const found = tool.startsWith('find_') ? { findings: [] } : { rows: [] };
  return { tool, ok: true, output: { query: query(tool), ...found } };
}

/** All steps that the rules take when every tool answers with no rows: the tools called in each, then the text. */
function play(coverage: CoverageRow, tools = optimizationAgent.tools.map(({ name }) => name)) {
  const results: RecordedResult[] = [];
  const steps: string[][] = [];
  for (let step = 0; step < 10; step += 1) {
    const decision = planStep({ question: '', tools, results });
    if (decision.calls.length === 0) return { steps, text: decision.text.join('') };
    steps.push(decision.calls.map(({ tool }) => tool));
    if (step === 0) results.push(...triaged(coverage));
    else results.push(...decision.calls.map(({ tool }) => silent(tool)));
  }
  throw new Error('the rules did not come to an end');
}

// Planted bug: `questions` without their `missing` checks turn the second and third test red.
describe('the planner', () => {
  test('asks everything, phase by phase, of data that has everything', () => {
    const { steps, text } = play(full);
    expect(steps.map((tools) => tools.length)).toEqual([2, 5, 10]);
    expect(steps[0]).toEqual(['usage_coverage', 'usage_totals']);
    expect(text).toContain('Nothing was found that is worth changing.');
    expect(text).not.toContain('Not enough data');
  });

  test('asks of bare data only what it can tell, and says what it cannot', () => {
    const { steps, text } = play(bare);
    const asked = steps.flat();
    expect(asked).toContain('find_oversized_context');
    expect(asked).not.toContain('find_exact_duplicates');
    expect(asked).not.toContain('usage_by_user');
    expect(asked).not.toContain('forecast_usage');
    expect(text).toContain('## Not enough data');
    expect(text).toContain('repeated questions: no call has a prompt hash');
    expect(text).toContain('a forecast: the data covers 1 day');
  });

  test('asks nothing more where there is no usage, and says to import some', () => {
    const { steps, text } = play(none);
    expect(steps).toEqual([['usage_coverage', 'usage_totals']]);
    expect(text).toContain('Import some');
  });

  test('calls only tools that the agent has, and sends triage on to the right agent', () => {
    const { steps, text } = play(
      full,
      triageAgent.tools.map(({ name }) => name),
    );
    expect(steps).toEqual([['usage_coverage', 'usage_totals']]);
    expect(text).toContain('Ask next: optimization');
  });

  test('goes on without a tool that failed, and names it in the report', () => {
    const tools = ['usage_coverage', 'usage_totals', 'usage_by_day'];
    const failed = { tool: 'usage_by_day', ok: false, output: { code: 'unavailable', message: 'gone' } };
    const decision = planStep({ question: '', tools, results: [...triaged(full), failed] });
    expect(decision.calls).toEqual([]);
    expect(decision.text.join('')).toContain('the days: the query failed');
  });

  test('passes the scope of the question to every tool, and takes no scope that is not JSON', () => {
    const tools = ['usage_coverage'];
    const scoped = planStep({ question: askAbout('October?', { from: '2026-10-01' }), tools, results: [] });
    expect(scoped.calls).toEqual([{ tool: 'usage_coverage', input: { from: '2026-10-01' } }]);
    const forged = planStep({ question: 'x\nScope: {oops', tools, results: [] });
    expect(forged.calls).toEqual([{ tool: 'usage_coverage', input: {} }]);
  });
});
