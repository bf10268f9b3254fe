/**
 * Segment: every customer of the built-in agents.
 * Goal: over hundreds of generated organisations, each kind of finding is there where it was planted, and only there.
 * Value: a team can act on a finding without checking first whether it is one.
 * Strategic impact: measured quality is what sets the agents apart from advice.
 *
 * Planted bug that turns this red: a `standApart` that always agrees. The full length is 240 organisations; short, four.
 */
import { heavy, suite } from '@netra/testkit';
import { expect, it } from 'vitest';
import { precisionOf, recallOf } from '../integration/business/findings/measure.ts';
import { runScenarios } from '../integration/business/findings/run-scenarios.ts';
import { openAgents } from '../integration/agents-node.ts';

const on = suite();
const { length } = heavy();

it('finds each kind of inefficiency with precision and recall of 0.95, exact savings within 2 %', async () => {
  const node = await openAgents(on);
  node.worker.start();
  // Not the contract test's seeds, nor those that were looked at while the rules were made.
  const measured = await runScenarios(node, 2_000, length === 'full' ? 240 : 4);
  console.log(measured.table);
  expect(measured.faults).toEqual([]);
  for (const [kind, tally] of measured.tallies) {
    expect(recallOf(tally), `recall of ${kind}`).toBeGreaterThanOrEqual(0.95);
    expect(precisionOf(tally), `precision of ${kind}`).toBeGreaterThanOrEqual(0.95);
    if (tally.exact) expect(Math.max(0, ...tally.errors), `saving of ${kind}`).toBeLessThan(0.02);
  }
}, 1_800_000);
