/**
 * Segment: teams that build on the TypeScript SDK
 * Goal: what was said, all of a thread, and schedules are a method call away, and a text that was cut is never taken for whole
 * Value: nobody writes requests by hand, or keeps half an export
 * Strategic impact: an SDK that does the whole of the REST interface is the one that people start with
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, type Client, type ExportLine } from '@netra/client';
import { createAccount, startServer, suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';

const on = suite();
let client: Client;
beforeAll(async () => {
  const account = await createAccount({ env: on.env, plan: 'enterprise' });
  const server = await startServer({ env: on.env });
  client = createClient({ url: server.url, token: account.token });
  on.onEnd(async () => {
    client.close();
    await server.stop();
  });
});

it('a thread’s messages come from either end, and its export line by line to its end', async () => {
  const { thread } = await client.createThread({ title: 'told' });
  for (const steps of [1, 2]) {
    await (await client.run({ thread, agent: 'rehearsal', input: { steps } })).finished();
  }
  const { items } = await client.messages(thread);
  expect(items.map(({ author }) => author)).toEqual(['user', 'agent', 'user', 'agent']);
  const first = await client.messages(thread, { order: 'desc', limit: 3 });
  expect(first.items).toEqual(items.toReversed().slice(0, 3));
  const rest = await client.messages(thread, { order: 'desc', cursor: first.next ?? '' });
  expect(rest).toEqual({ items: [items[0]], next: null });

  const lines = await Array.fromAsync(client.exportThread(thread));
  const types = lines.map(({ type }) => type);
  expect(types.filter((type) => type !== 'event')).toEqual([
    'thread',
    'message',
    'run',
    'message',
    'message',
    'run',
    'message',
    'end',
  ]);
  expect(lines.at(-1)).toEqual({
    type: 'end',
    messages: 4,
    runs: 2,
    events: types.filter((type) => type === 'event').length,
  });
  await expect(Array.fromAsync(client.exportThread('00000000-0000-7000-8000-000000000000'))).rejects.toMatchObject({
    code: 'not_found',
  });
});

// Planted bug that turns it red: an export that ends where its text does.
it.each(['{"type":"thread"}\n{"type":"message"}\n', '{"type":"thread"}\n{"type":"en'])(
  'an export that was broken off says so: %j',
  async (text) => {
    const server = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1');
    on.onEnd(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const cut = createClient({ url: `http://127.0.0.1:${port}`, token: 'any' });
    const lines: ExportLine[] = [];
    const reading = (async () => {
      for await (const line of cut.exportThread('any')) lines.push(line);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    expect(lines.length).toBeGreaterThan(0);
  },
);

it('a schedule is made, read, paused, let go on, changed and deleted', async () => {
  const body = { agent: 'rehearsal', input: null, cron: '0 9 1 1 *', time_zone: 'Europe/Berlin' };
  const { schedules } = client;
  const { schedule } = await schedules.create(body, 'one-schedule');
  expect((await schedules.create(body, 'one-schedule')).schedule).toBe(schedule);
  expect(await schedules.pause(schedule)).toMatchObject({ state: 'paused', next_at: null });
  expect((await schedules.resume(schedule)).state).toBe('active');
  expect((await schedules.change(schedule, { cron: '@yearly' })).cron).toBe('@yearly');
  expect((await schedules.list()).items).toEqual([await schedules.read(schedule)]);
  await schedules.delete(schedule);
  await expect(schedules.read(schedule)).rejects.toMatchObject({ code: 'not_found' });
});
