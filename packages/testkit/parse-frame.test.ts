import { describe, expect, it } from 'vitest';
import { parseFrame } from './parse-frame.ts';

const run = '0192f1f0-0000-7000-8000-000000000001';
const event = {
  type: 'agent_thinking',
  run,
  epoch: 1,
  seq: 2,
  at: '2026-01-01T00:00:00.000Z',
  data: { text: 'hm' },
};

describe('parseFrame', () => {
  it('reads an event and a control frame', () => {
    expect(parseFrame(JSON.stringify(event))).toEqual(event);
    expect(parseFrame(JSON.stringify({ type: 'live', run, seq: 2 }))).toEqual({ type: 'live', run, seq: 2 });
  });

  // Planted bug that turns it red: any one of the checks taken out of placeOf().
  it.for([
    ['no type', { ...event, type: undefined }],
    ['a type nobody knows', { ...event, type: 'agent_dreaming' }],
    ['no run', { ...event, run: undefined }],
    ['no epoch', { ...event, epoch: undefined }],
    ['seq 0', { ...event, seq: 0 }],
    ['a fraction for a seq', { ...event, seq: 1.5 }],
    ['local time', { ...event, at: '2026-01-01T00:00:00+01:00' }],
    ['data of another type', { ...event, data: { words: 'hm' } }],
    ['a control frame without its run', { type: 'live', seq: 2 }],
  ] as const)('refuses a frame with %s', ([, frame]) => {
    expect(() => parseFrame(JSON.stringify(frame))).toThrow();
  });
});
