import { randomUUID } from 'node:crypto';
import { eventually, openRedisServer, type RedisServer } from '@netra/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openInProcessRedis, openLog, openRedis, systemClock, type Redis } from './index.ts';

// Both engines pass the same tests. Planted bugs seen red: `<` for `<=` in consume; a window that slides with each hit;
// delete that does nothing; subscribe without the returned end; the fallback count left out (a lost Redis lifts limits).
const clock = systemClock;
const log = openLog({ level: 'silent' });
const hour_ms = 3_600_000;
let server: RedisServer;
beforeAll(async () => {
  server = await openRedisServer();
});
afterAll(() => server.close());

const engines: readonly (readonly [Redis['kind'], () => Promise<Redis>])[] = [
  ['in_process', async () => openInProcessRedis({ clock })],
  ['server', () => openRedis(server.redis_url, { clock, log })],
];

describe.each(engines)('the %s engine', (kind, open) => {
  let redis: Redis;
  beforeAll(async () => {
    redis = await open();
  });
  afterAll(() => redis.close());
  const key = (): string => `netra:{${randomUUID()}}:test`;

  it('says what it is and that it is there', async () => {
    expect(redis.kind).toBe(kind);
    expect(await redis.ping()).toBe(true);
  });

  it('gives back what was set until it ends or is deleted', async () => {
    const [short, long] = [key(), key()];
    expect(await redis.get(short)).toBeNull();
    await redis.set(short, 'a', 60);
    await redis.set(long, 'b', hour_ms);
    expect(await redis.get(long)).toBe('b');
    await eventually('the short one ends', async () => (await redis.get(short)) === null);
    await redis.delete(long);
    expect(await redis.get(long)).toBeNull();
  });

  it('bounds what all nodes hold together, and forgets what a silent node held', async () => {
    if (kind !== 'server')
      return expect(
        (await redis.hold({ gauges: [{ key: key(), held: 2, max: 1 }], holder: 'a', ttl_ms: 50 }))?.full,
      ).toBe(0);
    const [of_user, of_org] = [key(), key()];
    const hold = (holder: string, held: number, ttl_ms = 60_000) =>
      redis.hold({
        gauges: [
          { key: of_user, held, max: 9 },
          { key: of_org, held, max: 3 },
        ],
        holder,
        ttl_ms,
      });
    expect(await hold('a', 2, 500)).toEqual({ full: null, others: [0, 0] });
    expect(await hold('b', 1)).toEqual({ full: null, others: [2, 2] });
    expect((await hold('b', 2))?.full).toBe(1);
    // Said again it is the same, and not more.
    expect(await hold('a', 2, 500)).toEqual({ full: null, others: [1, 1] });
    await eventually('a is forgotten', async () => (await hold('b', 3))?.full === null);
    expect((await hold('c', 1))?.full).toBe(1);
    expect(await hold('b', 0)).toMatchObject({ full: null });
    expect(await hold('c', 1)).toEqual({ full: null, others: [0, 0] });
  });

  it('lets exactly `max` points through a window, however many ask at once', async () => {
    const name = key();
    const ask = () => redis.consume({ key: name, points: 1, max: 10, window_ms: hour_ms });
    const answers = await Promise.all(Array.from({ length: 40 }, ask));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(10);
    const { allowed, remaining, resets_in_ms } = await ask();
    expect([allowed, remaining]).toEqual([false, 0]);
    expect(resets_in_ms).toBeGreaterThan(0);
    expect(resets_in_ms).toBeLessThanOrEqual(hour_ms);
  });

  it('takes nothing when the points are not there, and begins anew in the next window', async () => {
    const name = key();
    const ask = (points: number, window_ms: number) => redis.consume({ key: name, points, max: 5, window_ms });
    expect(await ask(4, hour_ms)).toMatchObject({ allowed: true, remaining: 1 });
    expect(await ask(2, hour_ms)).toMatchObject({ allowed: false, remaining: 1 });
    expect(await ask(1, hour_ms)).toMatchObject({ allowed: true, remaining: 0 });
    const other = key();
    const short = () => redis.consume({ key: other, points: 1, max: 1, window_ms: 150 });
    await short();
    await eventually('a new window', async () => (await short()).allowed);
  });

  it('calls each listener of a channel until it ends', async () => {
    const [channel, heard] = [key(), [] as string[]];
    const end = await redis.subscribe(channel, (message) => heard.push(`1 ${message}`));
    const endTwo = await redis.subscribe(channel, (message) => heard.push(`2 ${message}`));
    expect(await redis.publish(channel, 'a')).toBe(true);
    await eventually('both heard', () => heard.length === 2);
    await end();
    await redis.publish(channel, 'b');
    await eventually('one heard', () => heard.includes('2 b'));
    await endTwo();
    await redis.publish(channel, 'c');
    // A message on the same connection after it: what was to come would have come.
    const last: string[] = [];
    const endLast = await redis.subscribe(`${channel}:last`, (message) => last.push(message));
    await redis.publish(`${channel}:last`, 'd');
    await eventually('the last', () => last.length === 1);
    await endLast();
    expect(heard.toSorted()).toEqual(['1 a', '2 a', '2 b']);
  });
});

describe('a Redis that is lost', () => {
  it('is answered around: caches miss, hints are lost, limits hold', async () => {
    const own = await openRedisServer();
    const redis = await openRedis(own.redis_url, { clock, log });
    try {
      const ask = () => redis.consume({ key: 'netra:{lost}:limit', points: 1, max: 3, window_ms: hour_ms });
      expect((await ask()).allowed && (await ask()).allowed).toBe(true);
      await redis.set('netra:{lost}:a', 'a', hour_ms);
      await own.close();
      expect((await ask()).allowed).toBe(true);
      expect((await ask()).allowed).toBe(false);
      expect(await redis.get('netra:{lost}:a')).toBeNull();
      expect(await redis.publish('netra:{lost}', 'x')).toBe(false);
      expect(await redis.ping()).toBe(false);
    } finally {
      await redis.close();
    }
  });

  it('does not keep a node from starting', async () => {
    const redis = await openRedis('redis://127.0.0.1:1', { clock, log });
    expect(await redis.ping()).toBe(false);
    expect((await redis.consume({ key: 'k', points: 1, max: 1, window_ms: hour_ms })).allowed).toBe(true);
    await redis.close();
  });
});
