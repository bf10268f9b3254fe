/**
 * Segment: clients that cannot or need not open a WebSocket
 * Goal: follow a run by plain HTTP, and lose nothing when the connection breaks
 * Value: the same events, the same order, from `curl` and from EventSource
 * Strategic impact: an integration is one GET away
 *
 * Planted bugs that turn this red: send `seq` alone as the id; take Last-Event-ID as inclusive; end the stream before
 * the terminal event.
 */
import { createClient } from '@netra/client';
import { serverFrame, type EventFrame } from '@netra/contract';
import { createAccount, startServer, suite, type TestServer } from '@netra/testkit';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';

const own = suite();
let server: TestServer;
let token: string;
let run: string;
let log: EventFrame[];

beforeAll(async () => {
  server = await startServer({ env: own.env });
  own.onEnd(() => server.stop());
  ({ token } = await createAccount({ env: own.env, plan: 'enterprise' }));
  const client = createClient({ url: server.url, token });
  const handle = await client.run({ agent: 'rehearsal', input: { steps: 3, deltas: 1, tool: 'hash' } });
  run = handle.run;
  log = [];
  await handle.finished((event) => log.push(event));
  client.close();
}, 120_000);

interface Sent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: unknown;
}

/** Reads a stream to its end, the way the HTML standard parses it. */
async function read(path: string, headers: Record<string, string> = {}, stopAt = Infinity): Promise<Sent[]> {
  const answer = await fetch(`${server.url}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(answer.headers.get('cache-control')).toContain('no-store');
  const sent: Sent[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) if (!block.startsWith(':')) sent.push(parse(block));
    // Leaving the loop cancels the body, which cuts the connection.
    if (sent.length >= stopAt) break;
  }
  return sent.slice(0, stopAt);
}

function parse(block: string): Sent {
  const field = (name: string): string | undefined =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  return { id: field('id'), event: field('event') ?? 'message', data: JSON.parse(field('data') ?? 'null') as unknown };
}

const eventsOf = (sent: readonly Sent[]): Sent[] => sent.filter(({ id }) => id !== undefined);

test('a run streams as the same events as over the socket, each with id <epoch>:<seq>, and ends', async () => {
  const sent = await read(`/v1/runs/${run}/events`);
  const events = eventsOf(sent);
  expect(events.map(({ data }) => serverFrame.parse(data))).toEqual(log);
  expect(events.map(({ id }) => id)).toEqual(log.map(({ epoch, seq }) => `${epoch}:${seq}`));
  expect(events.map(({ event }) => event)).toEqual(log.map(({ type }) => type));
  expect(sent.at(-1)?.event).toBe('end');
});

test('cut at every event in turn, Last-Event-ID goes on after it: each event once', async () => {
  for (let seq = 1; seq < log.length; seq += 1) {
    const before = eventsOf(await read(`/v1/runs/${run}/events`, {}, seq));
    const id = before.at(-1)?.id ?? '';
    const after = eventsOf(await read(`/v1/runs/${run}/events`, { 'last-event-id': id }));
    expect([...before, ...after].map(({ data }) => data)).toEqual(log);
  }
});

test('?after= does the same, and a cursor of another epoch is told by `reset`, never answered by half a log', async () => {
  const after = eventsOf(await read(`/v1/runs/${run}/events?after=4`));
  expect(after.map(({ data }) => data)).toEqual(log.slice(4));
  const epoch = (log[0]?.epoch ?? 0) + 1;
  const [reset, ...events] = await read(`/v1/runs/${run}/events`, { 'last-event-id': `${epoch}:3` });
  expect(reset).toMatchObject({ event: 'reset', data: { first: 1 } });
  expect(eventsOf(events).map(({ data }) => data)).toEqual(log);
});

test('a Last-Event-ID that is none, and a run that is not ours, are refused before the stream begins', async () => {
  const headers = { authorization: `Bearer ${token}`, 'last-event-id': 'x' };
  expect((await fetch(`${server.url}/v1/runs/${run}/events`, { headers })).status).toBe(400);
  const other = await createAccount({ env: own.env, plan: 'free' });
  const theirs = { authorization: `Bearer ${other.token}` };
  expect((await fetch(`${server.url}/v1/runs/${run}/events`, { headers: theirs })).status).toBe(404);
  expect((await fetch(`${server.url}/v1/runs/${randomUUID()}/events`, { headers: theirs })).status).toBe(404);
});
