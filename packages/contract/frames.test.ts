// Planted bugs that turn this red: name an event type `end`; drop `.max` from maxFrameBytes' users; let `token` travel
// in `run`.
import { expect, test } from 'vitest';
import { eventTypes } from './events.ts';
import { clientFrame, clientFrames, serverFrames, type ClientFrame } from './frames.ts';
import { serverFrame } from './server-frame.ts';

const run = '0190a0a0-0000-7000-8000-000000000000';
const at = '2026-11-22T18:00:00.000Z';

test('event types and frame types share no name, so `type` alone tells every server frame apart (decision 0001)', () => {
  const names: string[] = [...eventTypes, ...Object.keys(serverFrames)];
  expect(new Set(names).size).toBe(names.length);
});

test('a client frame says what design.md says, and an unknown type or a missing id is refused', () => {
  const frames: ClientFrame[] = [
    { type: 'hello', token: 't' },
    { type: 'run', id: 1, agent: 'triage', input: {}, idempotency_key: 'k' },
    { type: 'subscribe', id: 's', run, after: 0 },
    { type: 'cancel', id: 2, run },
    { type: 'approve', id: 3, run, call: 'c', approved: true },
    { type: 'token', token: 't' },
  ];
  expect(frames.map(({ type }) => type).toSorted()).toEqual(Object.keys(clientFrames).toSorted());
  for (const frame of frames) expect(clientFrame.parse(frame)).toEqual(frame);
  for (const bad of [
    { type: 'nothing' },
    { type: 'run', agent: 'triage', input: {}, idempotency_key: 'k' },
    { type: 'run', id: 1, agent: 'triage', input: {} },
    { type: 'subscribe', id: 1, run: 'not-a-uuid', after: 0 },
    { type: 'subscribe', id: 1, run, after: -1 },
    { type: 'hello', token: '' },
    [],
    'hello',
    null,
  ]) {
    expect(clientFrame.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
  }
});

test('`after` of a subscribe is 0 unless it is told', () => {
  expect(clientFrame.parse({ type: 'subscribe', id: 1, run })).toMatchObject({ after: 0 });
});

test('an event frame is the event itself with its epoch; seq 0, and data of another type, are refused', () => {
  const event = { type: 'agent_thinking', run, epoch: 0, seq: 1, at, data: { text: 'so' } };
  expect(serverFrame.parse(event)).toEqual(event);
  expect(serverFrame.safeParse({ ...event, seq: 0 }).success).toBe(false);
  expect(serverFrame.safeParse({ ...event, data: { call_id: 'c' } }).success).toBe(false);
  expect(serverFrame.safeParse({ ...event, type: 'agent_guessed' }).success).toBe(false);
});

test('micro-credits on the wire are strings: a number is refused', () => {
  const data = { amount_micro: '1', reason: 'model', balance_micro: '2' };
  const event = { type: 'credits_charged', run, epoch: 0, seq: 2, at, data };
  expect(serverFrame.safeParse(event).success).toBe(true);
  expect(serverFrame.safeParse({ ...event, data: { ...data, amount_micro: 1 } }).success).toBe(false);
});
