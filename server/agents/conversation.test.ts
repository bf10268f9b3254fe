import type { NewEvent } from '@netra/contract';
import { describe, expect, test } from 'vitest';
import { rehearsalAgent } from './builtin/rehearsal.ts';
import { Conversation } from './conversation.ts';

const steps: readonly NewEvent[] = [
  { type: 'agent_started', data: { agent: 'rehearsal', model: 'rehearsal', thread: 't', held_micro: '1' } },
  { type: 'agent_thinking', data: { text: 'one ' } },
  { type: 'agent_thinking', data: { text: 'two' } },
  { type: 'tool_executing', data: { call_id: 'call_1', tool: 'wait', input: { wait_ms: 0 } } },
  { type: 'tool_executing', data: { call_id: 'call_2', tool: 'hash', input: { rounds: 0 } } },
  {
    type: 'tool_completed',
    data: { call_id: 'call_2', tool: 'hash', ok: false, error: { code: 'x', message: 'y' }, duration_ms: 1 },
  },
  {
    type: 'tool_completed',
    data: { call_id: 'call_1', tool: 'wait', ok: true, output: { waited_ms: 0 }, duration_ms: 1 },
  },
  { type: 'tool_executing', data: { call_id: 'call_3', tool: 'wait', input: { wait_ms: 1 } } },
];

function conversationOf(events: readonly NewEvent[]): Conversation {
  const conversation = new Conversation(rehearsalAgent, {});
  for (const event of events) conversation.add(event);
  return conversation;
}

// Planted bug: without the `#closeStep` in `#openCall` the third call joins the first step, and the first test is red.
describe('a conversation rebuilt from the log', () => {
  test('has each model call as one message with its calls, and their results after it', () => {
    const prompt = conversationOf(steps).prompt();
    expect(prompt.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'tool', 'assistant', 'tool']);
    expect(prompt[2]?.content).toEqual([
      { type: 'reasoning', text: 'one two' },
      { type: 'tool-call', toolCallId: 'call_1', toolName: 'wait', input: { wait_ms: 0 } },
      { type: 'tool-call', toolCallId: 'call_2', toolName: 'hash', input: { rounds: 0 } },
    ]);
    expect(prompt[3]?.content).toMatchObject([
      { toolCallId: 'call_2', output: { type: 'error-json', value: { code: 'x' } } },
      { toolCallId: 'call_1', output: { type: 'json', value: { waited_ms: 0 } } },
    ]);
  });

  test('knows which calls are open, how many steps are recorded, and numbers the next call', () => {
    const conversation = conversationOf(steps);
    expect([...conversation.open.keys()]).toEqual(['call_3']);
    expect({ steps: conversation.steps, calls: conversation.calls }).toEqual({ steps: 2, calls: 3 });
    expect(conversation.results.map(({ call_id, ok }) => [call_id, ok])).toEqual([
      ['call_2', false],
      ['call_1', true],
    ]);
  });

  test('keeps text of a model call that was cut off out of the prompt, and `restarts` voids it', () => {
    const cut = conversationOf([...steps.slice(0, 7), { type: 'agent_message', data: { text: 'half an ans' } }]);
    expect(cut.prompt()).toHaveLength(4);
    expect(cut.partial()).toEqual([{ kind: 'agent_message', text: 'half an ans' }]);
    cut.add({ type: 'agent_message', data: { text: 'whole', restarts: true } });
    expect(cut.partial()).toEqual([{ kind: 'agent_message', text: 'whole' }]);
  });

  test('is the same however the deltas were coalesced', () => {
    const [started, one, two, ...rest] = steps;
    if (started === undefined || one?.type !== 'agent_thinking' || two?.type !== 'agent_thinking')
      throw new Error('steps');
    const joined = [started, { ...one, data: { text: one.data.text + two.data.text } }, ...rest];
    expect(conversationOf(joined).prompt()).toEqual(conversationOf(steps).prompt());
  });
});
