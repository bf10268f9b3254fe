import { expect, test } from 'vitest';
import type { RunEvent } from '@netra/contract';
import { Feed } from './feed.ts';

const event = (run: string, seq: number, text: string): RunEvent => {
  return { type: 'agent_message', data: { text }, run, seq, at: '2026-01-01T00:00:00.000Z' };
};

function runThrough(feed: Feed, run_id: string, events: number, text: string): void {
  feed.open({ org_id: 'o', run_id, epoch: 1, events: [], head: 0 });
  for (let seq = 1; seq <= events; seq += 1) feed.publish(run_id, [event(run_id, seq, text)], text.length);
  feed.end(run_id);
}

// Planted bug that turns it red: end() without making room.
test('what has ended is forgotten, oldest first: by number, and sooner by size', () => {
  const feed = new Feed();
  for (let i = 0; i < 1_100; i += 1) runThrough(feed, `small-${i}`, 1, 'x');
  expect(feed.size.logs).toBe(1_024);
  expect(feed.get('small-75')).toBeUndefined();
  expect(feed.get('small-76')?.head).toBe(1);
  const large = 'x'.repeat(64 * 1024);
  for (let i = 0; i < 200; i += 1) runThrough(feed, `large-${i}`, 7, large);
  expect(feed.size.logs).toBeLessThan(80);
  expect(feed.get('large-199')?.head).toBe(7);
});

// Planted bug that turns it red: shorten() that changes head, or drops the newest.
test('a long log keeps its newest events, dense up to its head', () => {
  const feed = new Feed();
  feed.open({ org_id: 'o', run_id: 'r', epoch: 1, events: [], head: 0 });
  for (let seq = 1; seq <= 2_000; seq += 1) feed.publish('r', [event('r', seq, 'x'.repeat(1024))], 1024);
  const log = feed.get('r');
  const seqs = log?.events.map(({ seq }) => seq) ?? [];
  expect(log?.head).toBe(2_000);
  expect(seqs.length).toBeLessThan(600);
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => 2_000 - seqs.length + 1 + i));
});

// Planted bug that turns it red: wake() that keeps the waiter, or onWake's return that does nothing.
test('a waiter is called once, and not at all when it has taken its wish back', () => {
  const feed = new Feed();
  let calls = 0;
  const count = (): void => void (calls += 1);
  feed.onWake('r', count);
  feed.onWake('r', () => undefined)();
  feed.wake('r');
  feed.wake('r');
  expect(calls).toBe(1);
  feed.onWake('r', count)();
  feed.wake('r');
  expect(calls).toBe(1);
  expect(feed.size.watched).toBe(0);
});
