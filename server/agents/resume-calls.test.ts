import type { NewEvent } from '@netra/contract';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Ctx } from '../platform/index.ts';
import { Conversation } from './conversation.ts';
import { defineAgent } from './define-agent.ts';
import { defineTool, type Effects } from './define-tool.ts';
import { rehearsalModel } from './models/rehearsal-model.ts';
import { resumeCalls } from './resume-calls.ts';
import type { RunScope } from './run-scope.ts';

const executing: NewEvent = { type: 'tool_executing', data: { call_id: 'call_1', tool: 'send', input: {} } };
const given = (approved: boolean): NewEvent => ({
  type: 'approval_given',
  data: { call_id: 'call_1', approved, by: 'a person' },
});
const asked: NewEvent = {
  type: 'approval_requested',
  data: { call_id: 'call_1', tool: 'send', input: {}, reason: 'again?' },
};

/** Takes over a run whose log ends with `log`; tells what was written, and under which keys the tool ran. */
async function takeOver(effects: Effects, log: readonly NewEvent[]) {
  const keys: string[] = [];
  const tool = defineTool({
    name: 'send',
    description: 'Sends something.',
    effects,
    input: z.object({}),
    execute: ({ idempotency_key }) => Promise.resolve({ sent: keys.push(idempotency_key) }),
  });
  const agent = defineAgent({
    name: 'sender',
    title: 'Sender',
    description: 'Sends.',
    instructions: 'Send.',
    model: 'rehearsal',
    tools: [tool],
    expected_results: 1,
    input: z.null(),
    question: () => '',
    complete: () => null,
  });
  const conversation = new Conversation(agent, null);
  for (const event of log) conversation.add(event);
  const written: NewEvent[] = [];
  const scope: RunScope = {
    // The tool above looks at neither.
    ctx: {} as Ctx,
    claim: { run_id: 'run' } as RunScope['claim'],
    agent,
    model: rehearsalModel,
    conversation,
    writer: {
      write: (events) => void written.push(...events),
      flush: () => Promise.resolve(),
      ready: () => Promise.resolve(),
      take: () => [],
    },
    signal: new AbortController().signal,
  };
  const goes_on = await resumeCalls(scope);
  return { goes_on, keys, written: written.map(({ type, data }) => ({ type, ...data })) };
}

// Planted bug: `mayRunAgain` that does not look at `effects` sends twice without asking: the second test is red.
describe('a call whose result the log does not have', () => {
  test.for(['none', 'idempotent'] as const)('runs again under its own key if its effects are %s', async (effects) => {
    const { goes_on, keys, written } = await takeOver(effects, [executing]);
    expect({ goes_on, keys }).toEqual({ goes_on: true, keys: ['run/call_1'] });
    expect(written).toMatchObject([{ type: 'tool_completed', call_id: 'call_1', ok: true }]);
  });

  test('waits for a person if it may have happened and must happen once', async () => {
    const { goes_on, keys, written } = await takeOver('once', [executing]);
    expect({ goes_on, keys }).toEqual({ goes_on: false, keys: [] });
    expect(written).toMatchObject([{ type: 'approval_requested', call_id: 'call_1', tool: 'send' }]);
  });

  test('asks once, however often the run is taken over', async () => {
    expect(await takeOver('once', [executing, asked])).toEqual({ goes_on: false, keys: [], written: [] });
  });

  test('runs again when the person allows it, and is told to the model as denied when not', async () => {
    const allowed = await takeOver('once', [executing, asked, given(true)]);
    expect(allowed).toMatchObject({ goes_on: true, keys: ['run/call_1'], written: [{ ok: true }] });
    const denied = await takeOver('once', [executing, asked, given(false)]);
    expect(denied).toMatchObject({ goes_on: true, keys: [], written: [{ ok: false, error: { code: 'denied' } }] });
  });
});
