import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openLog, openShutdown } from './index.ts';

// Planted bugs seen red: closers in the order of opening; a second signal that is ignored; no bound on a closer.
const log = openLog({ level: 'silent' });

function opened(timeout_ms = 5_000) {
  const exits: number[] = [];
  const { promise: exited, resolve } = Promise.withResolvers<number>();
  const source = new EventEmitter();
  const exit = (code: number): void => {
    exits.push(code);
    resolve(code);
  };
  // The emitter is all of a process that it listens to.
  const shutdown = openShutdown({ log, timeout_ms, exit, source: source as unknown as NodeJS.Process });
  return { shutdown, exits, exited, signal: (name: NodeJS.Signals) => source.emit(name, name) };
}

describe('shutdown', () => {
  it('closes once, last opened first, and ends with 0', async () => {
    const { shutdown, exited, exits, signal } = opened();
    const order: string[] = [];
    for (const name of ['stores', 'pools', 'http']) shutdown.add(name, async () => void order.push(name));
    signal('SIGTERM');
    expect(shutdown.signal.aborted).toBe(true);
    expect(await exited).toBe(0);
    expect(await shutdown.close('again')).toBe(0);
    expect(order).toEqual(['http', 'pools', 'stores']);
    expect(exits).toEqual([0]);
  });

  it('stops at once at the second signal', async () => {
    const { shutdown, exited, signal } = opened(60_000);
    shutdown.add('for ever', () => new Promise(() => undefined));
    signal('SIGTERM');
    signal('SIGINT');
    expect(await exited).toBe(130);
  });

  it('leaves a closer that hangs or throws, names it by the exit code, and closes the others', async () => {
    const { shutdown, exited, signal } = opened(50);
    const closed: string[] = [];
    shutdown.add('last', async () => void closed.push('last'));
    shutdown.add('throws', () => Promise.reject(new Error('no')));
    shutdown.add('hangs', () => new Promise(() => undefined));
    signal('SIGINT');
    expect(await exited).toBe(1);
    expect(closed).toEqual(['last']);
  });
});
