import { describe, expect, test } from 'vitest';
import { resumeText } from './resume-text.ts';

// Planted bug: `coveredBy` that always answers `text.length` turns the second and third test red; one that always
// answers 0 the first.
describe('text of a model call that is made again', () => {
  test('is skipped as far as readers have seen it, and goes on in the middle of a delta', () => {
    const resumer = resumeText([{ kind: 'agent_thinking', text: 'First, what' }]);
    expect(resumer.push('agent_thinking', 'First, ')).toEqual([]);
    expect(resumer.push('agent_thinking', 'what usage')).toEqual([
      { type: 'agent_thinking', data: { text: ' usage' } },
    ]);
    expect(resumer.push('agent_thinking', ' there is')).toEqual([
      { type: 'agent_thinking', data: { text: ' there is' } },
    ]);
    expect(resumer.end()).toEqual([]);
  });

  test('begins anew, said to be so, when it differs', () => {
    const resumer = resumeText([{ kind: 'agent_message', text: 'The answer is 41' }]);
    expect(resumer.push('agent_message', 'The answer ')).toEqual([]);
    expect(resumer.push('agent_message', 'was 42')).toEqual([
      { type: 'agent_message', data: { text: 'The answer was 42', restarts: true } },
    ]);
    expect(resumer.push('agent_message', '.')).toEqual([{ type: 'agent_message', data: { text: '.' } }]);
  });

  test('voids what was shown when it ends earlier or says nothing', () => {
    const shorter = resumeText([{ kind: 'agent_message', text: 'Yes, and more' }]);
    expect(shorter.push('agent_message', 'Yes')).toEqual([]);
    expect(shorter.end()).toEqual([{ type: 'agent_message', data: { text: 'Yes', restarts: true } }]);
    const silent = resumeText([{ kind: 'agent_thinking', text: 'Hm' }]);
    expect(silent.end()).toEqual([{ type: 'agent_thinking', data: { text: '', restarts: true } }]);
  });

  test('goes on from thinking to the message without repeating either', () => {
    const resumer = resumeText([
      { kind: 'agent_thinking', text: 'Hm.' },
      { kind: 'agent_message', text: 'Yes' },
    ]);
    expect(resumer.push('agent_thinking', 'Hm.')).toEqual([]);
    expect(resumer.push('agent_message', 'Yes, all')).toEqual([{ type: 'agent_message', data: { text: ', all' } }]);
  });
});
