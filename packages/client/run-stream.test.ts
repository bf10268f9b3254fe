// Planted bugs that turn this red: `>` for `!==` where a gap is seen, without the line before it (a repetition is then
// an event); take a gap for the next event.
import type { EventFrame } from '@netra/contract';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RunStream } from './run-stream.ts';

const run = '0190a0a0-0000-7000-8000-000000000000';
const event = (seq: number): EventFrame => ({
  type: 'agent_thinking',
  run,
  epoch: 1,
  seq,
  at: '2026-11-22T18:00:00.000Z',
  data: { text: String(seq) },
});

async function taken(stream: RunStream): Promise<number[]> {
  const seqs: number[] = [];
  for (let next = await stream.next(); next; next = await stream.next()) seqs.push(next.seq);
  return seqs;
}

test('whatever is repeated, lost or asked for again, what is taken is 1, 2, 3 … without a gap (R3)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }), async (arriving) => {
      const stream = new RunStream(run, 0, undefined);
      for (const seq of arriving) {
        // A gap is asked for again from the cursor: the server sends everything after it.
        if (!stream.push(event(seq)))
          for (let next = stream.after + 1; next <= seq; next += 1) stream.push(event(next));
      }
      stream.finish();
      const seqs = await taken(stream);
      expect(seqs).toEqual(Array.from({ length: Math.max(0, ...arriving) }, (_, index) => index + 1));
    }),
    { seed: 20261122 },
  );
});

test('goes on after a cursor, and says so when something is missing', async () => {
  const stream = new RunStream(run, 3, 1);
  expect([stream.push(event(2)), stream.push(event(5)), stream.push(event(4)), stream.push(event(5))]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  stream.finish();
  expect(await taken(stream)).toEqual([4, 5]);
});

test('who waits is woken by an event, by the end, and by a failure, which comes after what arrived before it', async () => {
  const stream = new RunStream(run, 0, undefined);
  const first = stream.next();
  stream.push(event(1));
  expect((await first)?.seq).toBe(1);
  stream.push(event(2));
  stream.fail(new Error('gone'));
  expect((await stream.next())?.seq).toBe(2);
  await expect(stream.next()).rejects.toThrow('gone');
  const other = new RunStream(run, 0, undefined);
  const waiting = other.next();
  other.finish();
  expect(await waiting).toBeUndefined();
});
