/**
 * Segment: people who write their next message before the answer to the last one has come.
 * Goal: what is sent to one thread runs one after the other, through any server, and also when servers die in between.
 * Value: a conversation that cannot get out of order, and no message that is lost or answered twice.
 * Strategic impact: this is where agent servers are seen to break; ours is seen not to.
 */
import { randomUUID } from 'node:crypto';
import {
  createAccount,
  eventually,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';

const on = suite();
let servers: readonly TestServer[];
let account: TestAccount;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function call(server: TestServer | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${server?.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${account.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      'idempotency-key': randomUUID(),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

interface Span {
  readonly run_id: string;
  readonly state: string;
  readonly begun_at: Date | null;
  readonly ended_at: Date | null;
  readonly starts: number;
  readonly ends: number;
  readonly spent_micro: string | null;
}

const spans = (thread: string): Promise<Span[]> =>
  withOwner(on.stores.postgres_url, async (client) => {
    const text = `select r.run_id, r.state, min(e.at) filter (where e.seq = 2) as begun_at, r.ended_at,
        count(*) filter (where e.type = 'agent_started')::int as starts,
        count(*) filter (where e.type in ('agent_completed', 'agent_failed', 'agent_cancelled'))::int as ends,
        max(e.data -> 'credits' ->> 'spent_micro') as spent_micro
      from netra.run r join netra.event e on e.org_id = r.org_id and e.run_id = r.run_id
      where r.thread_id = $1 group by 1, 2, r.ended_at order by begun_at`;
    return (await client.query<Span>(text, [thread])).rows;
  });

beforeAll(async () => {
  const env = { ...on.env, NETRA_LEASE_MS: '2000' };
  servers = await Promise.all([1, 2, 3].map(() => startServer({ env })));
  for (const server of servers) on.onEnd(() => server.stop());
  account = await createAccount({ env: on.env, plan: 'enterprise' });
}, 120_000);

it('what waits in a thread runs once and in order on the servers that are left, when the one at work is killed', async () => {
  const made = await call(servers[0], 'POST', '/v1/threads', {});
  const path = `/v1/threads/${String(made.body['thread'])}/runs`;
  const ask = { agent: 'rehearsal', input: { steps: 3, step_ms: 300 } };
  const runs: string[] = [];
  // The first through the one that dies: it works on it. The others through each in turn.
  for (let place = 0; place < 6; place += 1) {
    const answer = await call(servers[place % 3], 'POST', path, ask);
    expect(answer).toMatchObject({ status: 201 });
    runs.push(String(answer.body['run']));
  }
  const node = await eventually('the first run to be worked on', async () => {
    const [row] = await withOwner(on.stores.postgres_url, async (client) => {
      const text = 'select lease_node from netra.run where run_id = $1 and last_seq > 2';
      return (await client.query<{ lease_node: string | null }>(text, [runs[0]])).rows;
    });
    return row?.lease_node ?? null;
  });
  expect(node).not.toBe('');
  await servers[0]?.kill();
  const ended = await eventually(
    'all six to have ended',
    async () => {
      const rows = await spans(String(made.body['thread']));
      return rows.every(({ ended_at }) => ended_at !== null) ? rows : null;
    },
    { deadline_ms: 60_000 },
  );
  expect(ended.map(({ run_id }) => run_id)).toEqual(runs);
  for (const [place, span] of ended.entries()) {
    expect(span).toMatchObject({ state: 'completed', starts: 1, ends: 1, spent_micro: '1000000' });
    const before = ended[place - 1];
    if (before?.ended_at) expect(span.begun_at?.getTime()).toBeGreaterThanOrEqual(before.ended_at.getTime());
  }
}, 90_000);

it('says over REST what became of a message: waiting, refused with the run that is in the way, or first in line', async () => {
  const made = await call(servers[1], 'POST', '/v1/threads', {});
  const path = `/v1/threads/${String(made.body['thread'])}/runs`;
  const long = await call(servers[1], 'POST', path, { agent: 'rehearsal', input: { steps: 2, step_ms: 60_000 } });
  const waits = await call(servers[2], 'POST', path, { agent: 'rehearsal', input: null });
  expect((await call(servers[1], 'GET', `/v1/runs/${String(waits.body['run'])}`)).body).toMatchObject({
    state: 'waiting',
  });
  const listed = await call(servers[1], 'GET', '/v1/runs?state=waiting');
  expect(listed.body['items']).toMatchObject([{ run: waits.body['run'] }]);
  const refused = await call(servers[2], 'POST', path, { agent: 'rehearsal', input: null, if_busy: 'reject' });
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'thread_busy', run: long.body['run'], state: 'running', retryable: true },
  });
  const wrong = await call(servers[2], 'POST', path, { agent: 'rehearsal', input: null, if_busy: 'later' });
  expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  const first = await call(servers[2], 'POST', path, { agent: 'rehearsal', input: null, if_busy: 'interrupt' });
  const states = await eventually('the interrupting run to end', async () => {
    const seen = await Promise.all(
      [long, waits, first].map(
        async ({ body }) => (await call(servers[1], 'GET', `/v1/runs/${String(body['run'])}`)).body['state'],
      ),
    );
    return seen[2] === 'completed' ? seen : null;
  });
  expect(states).toEqual(['cancelled', 'cancelled', 'completed']);
});

it('says the same on other people’s wires: a conversation that is busy waits, refuses, or is interrupted', async () => {
  const work = { steps: 2, step_ms: 60_000 };
  const ask = (server: TestServer | undefined, chat: string, message: string, body: object) =>
    fetch(`${server?.url}/compat/ai-sdk/chat`, {
      method: 'POST',
      headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        id: chat,
        agent: 'rehearsal',
        messages: [{ id: message, role: 'user', parts: [{ type: 'text', text: 'x' }] }],
        ...body,
      }),
    });
  const chat = randomUUID();
  const long = await ask(servers[1], chat, 'one', { input: work });
  expect(long.status).toBe(200);
  const refused = await ask(servers[2], chat, 'two', { input: { steps: 1 }, if_busy: 'reject' });
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ code: 'thread_busy' });
  const first = await ask(servers[2], chat, 'three', { input: { steps: 1 }, if_busy: 'interrupt' });
  expect(await first.text()).toContain('[DONE]');
  // Its stream ends with it.
  await long.text();

  const completion = (server: TestServer | undefined, body: object) =>
    call(server, 'POST', '/compat/openai/v1/responses', { model: 'rehearsal', background: true, ...body });
  const begun = await completion(servers[1], { netra_input: work });
  const previous = { previous_response_id: begun.body['id'] };
  const busy = await completion(servers[2], { ...previous, netra_input: { steps: 1 }, netra_if_busy: 'reject' });
  expect(busy).toMatchObject({ status: 409 });
  expect(JSON.stringify(busy.body)).toContain('thread_busy');
  const waits = await completion(servers[2], { ...previous, netra_input: { steps: 1 } });
  expect(waits).toMatchObject({ status: 200, body: { status: 'in_progress' } });
  expect(
    (await call(servers[1], 'POST', `/compat/openai/v1/responses/${String(begun.body['id'])}/cancel`)).status,
  ).toBe(200);
  await eventually('the response that waited to be complete', async () => {
    const { body } = await call(servers[1], 'GET', `/compat/openai/v1/responses/${String(waits.body['id'])}`);
    return body['status'] === 'completed' ? body : null;
  });
});
