import type { NewEvent } from '@netra/contract';
import { describe, expect, test } from 'vitest';
import { writeEvents } from './write-events.ts';

const text = (delta: string): NewEvent => ({ type: 'agent_message', data: { text: delta } });
const executing: NewEvent = { type: 'tool_executing', data: { call_id: 'call_1', tool: 'wait', input: {} } };

/** A journal's `append` with a latch: appends stand still until told. */
function latch() {
  const appends: { readonly events: readonly NewEvent[]; release(): void; fail(error: Error): void }[] = [];
  const append = (events: readonly NewEvent[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    appends.push({ events, release: resolve, fail: reject });
    return promise;
  };
  return { appends, append };
}

// Planted bug: handing events to the journal at once instead of once a turn turns the first test red.
describe('writing events', () => {
  test('one turn of the event loop is one append, with adjacent text as one event', async () => {
    const { appends, append } = latch();
    const writer = writeEvents({ append });
    writer.write([text('a')]);
    writer.write([text('b'), executing]);
    const flushed = writer.flush();
    expect(appends.map(({ events }) => events)).toEqual([[text('ab'), executing]]);
    appends[0]?.release();
    await flushed;
  });

  test('what comes while an append is in flight waits, and leaves together in order', async () => {
    const { appends, append } = latch();
    const writer = writeEvents({ append });
    writer.write([text('a')]);
    const flushed = writer.flush();
    writer.write([text('b')]);
    writer.write([text('c')]);
    expect(appends).toHaveLength(1);
    appends[0]?.release();
    await expect.poll(() => appends.length).toBe(2);
    expect(appends[1]?.events).toEqual([text('bc')]);
    appends[1]?.release();
    await flushed;
  });

  test('a failed append is told to the next write, so that no model is read on for nothing', async () => {
    const { appends, append } = latch();
    const writer = writeEvents({ append });
    writer.write([text('a')]);
    const flushed = writer.flush();
    appends[0]?.fail(new Error('fenced'));
    await expect(flushed).rejects.toThrow('fenced');
    expect(() => writer.write([text('b')])).toThrow('fenced');
  });

  test('text that begins anew is never joined to what it voids', () => {
    const { append } = latch();
    const writer = writeEvents({ append });
    const anew: NewEvent = { type: 'agent_message', data: { text: 'b', restarts: true } };
    writer.write([text('a'), anew, text('c')]);
    expect(writer.take()).toEqual([text('a'), { type: 'agent_message', data: { text: 'bc', restarts: true } }]);
  });
});
