// Planted bug that turns this red: drop any one of the throws in grammar.ts.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventType } from './events.ts';
import { advanceLog, emptyLog, type LogState } from './grammar.ts';

interface Step {
  readonly type: EventType;
  readonly data: unknown;
}

const step = (type: EventType, call_id?: string): Step => ({ type, data: call_id === undefined ? {} : { call_id } });
const read = (...steps: readonly Step[]): LogState => steps.reduce(advanceLog, emptyLog);
const started = step('agent_started');

test('a whole run passes: started, tool called and completed, completed', () => {
  const log = read(
    started,
    step('agent_thinking'),
    step('tool_executing', 'a'),
    step('tool_completed', 'a'),
    step('agent_completed'),
  );
  expect(log).toMatchObject({ started: true, ended: true });
});

test.each([
  ['1: anything before agent_started', [step('agent_thinking')]],
  ['1: agent_started twice', [started, started]],
  ['2: a completion without its call', [started, step('tool_completed', 'a')]],
  ['2: a call id twice', [started, step('tool_executing', 'a'), step('tool_executing', 'a')]],
  [
    '2: a call id again after its completion',
    [started, step('tool_executing', 'a'), step('tool_completed', 'a'), step('tool_executing', 'a')],
  ],
  ['3: anything after the end', [started, step('agent_failed'), step('agent_thinking')]],
  ['3: completed with an open call', [started, step('tool_executing', 'a'), step('agent_completed')]],
])('grammar %s is refused', (_rule, steps) => {
  expect(() => read(...steps)).toThrow(/^grammar \d/);
});

test('a failed or cancelled run may leave a call open: its worker may have died inside it', () => {
  for (const type of ['agent_failed', 'agent_cancelled'] as const) {
    expect(read(started, step('tool_executing', 'a'), step(type)).ended).toBe(true);
  }
});

test('whatever is appended in whatever order, an accepted log starts once, ends at most once and last', () => {
  const types = [
    'agent_started',
    'agent_thinking',
    'tool_executing',
    'tool_completed',
    'agent_completed',
    'agent_failed',
  ];
  const anyStep = fc.record({ type: fc.constantFrom(...types), call: fc.constantFrom('a', 'b') });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), (tried) => {
      const accepted: Step[] = [];
      let log = emptyLog;
      for (const { type, call } of tried) {
        const next = step(type as EventType, call);
        try {
          log = advanceLog(log, next);
          accepted.push(next);
        } catch {
          // Refused: the log stays as it was.
        }
      }
      const names = accepted.map(({ type }) => type);
      expect(names.slice(1)).not.toContain('agent_started');
      const end = names.findIndex((name) => name === 'agent_completed' || name === 'agent_failed');
      if (end >= 0) expect(end).toBe(names.length - 1);
      const calls = names.filter((name) => name === 'tool_executing').length;
      expect(calls - names.filter((name) => name === 'tool_completed').length).toBe(log.openCalls.size);
    }),
    { seed: 20261122 },
  );
});
