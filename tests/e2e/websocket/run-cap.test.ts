/**
 * Segment: developers who put an agent into their product, and users who pay for each question.
 * Goal: a run that has a cap asks before it goes beyond, on every wire, and does what is answered, once.
 * Value: nobody learns from a bill what one question has cost, and no run ends half-done for want of a yes.
 * Strategic impact: a price that holds is what lets a product charge for an agent at all.
 *
 * Planted bugs that turn this red: a wire that drops max_credits_micro; a cap that is no part of the request's hash;
 * give_approval() that takes a second answer.
 */
import { HttpAgent, type BaseEvent } from '@ag-ui/client';
import { randomUUID } from 'node:crypto';
import { createClient, type Client } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  eventually,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../server/agents/index.ts';
import { serveModel } from '../../integration/openai-endpoint.ts';

const on = suite();
const cap = '10000000';
let server: TestServer;
let account: TestAccount;
let stranger: TestAccount;
beforeAll(async () => {
  const endpoint = await serveModel(openModel('planner', { model: null }));
  on.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  server = await startServer({ env: { ...on.env, ...model } });
  on.onEnd(() => server.stop());
  const make = (): Promise<TestAccount> => createAccount({ env: on.env, plan: 'enterprise' });
  [account, stranger] = await Promise.all([make(), make()]);
}, 120_000);

async function send(
  { token }: TestAccount,
  method: string,
  path: string,
  body?: unknown,
  key: string = randomUUID(),
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const stateOf = async (run: string): Promise<unknown> => (await send(account, 'GET', `/v1/runs/${run}`)).body['state'];
const parked = (run: string): Promise<unknown> =>
  eventually('a parked run', async () => (await stateOf(run)) === 'parked' || null);
const answer = (run: string, approved: boolean, as = account, call = 'budget_1') =>
  send(as, 'POST', `/v1/runs/${run}/approvals/${call}`, { approved });

/** Follows a run of the account to its end. */
async function ended(run: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url: server.url, token: account.token });
  const events: EventFrame[] = [];
  await client.follow(run).finished((event) => events.push(event));
  client.close();
  return events;
}

function expectPaid(events: readonly EventFrame[], most_micro: bigint): void {
  const end = events.at(-1);
  if (end?.type !== 'agent_completed') throw new Error(`it ended with ${end?.type}`);
  const spent = BigInt(end.data.credits.spent_micro);
  expect(spent > BigInt(cap) && spent <= most_micro).toBe(true);
}

const refusedAtCap = {
  type: 'agent_failed',
  data: {
    code: 'budget_reached',
    limit: { limit: 'max_credits', used: cap, max: cap, plan_that_lifts_it: null },
    credits: { spent_micro: '0' },
  },
};

/** Asks for a capped run over REST, and waits until it has asked back. */
async function askOverRest(): Promise<string> {
  const thread = await send(account, 'POST', '/v1/threads', {});
  const path = `/v1/threads/${String(thread.body['thread'])}/runs`;
  const asked = await send(account, 'POST', path, { agent: 'triage', input: null, max_credits_micro: cap });
  const run = String(asked.body['run']);
  await parked(run);
  return run;
}

/** Says yes to the one run that waits. */
async function answerWhenAsked(): Promise<void> {
  const run = await eventually('a run that waits', () =>
    withOwner(on.stores.postgres_url, async (client) => {
      const text = `select run_id from netra.run where org_id = $1 and state = 'parked'`;
      return (await client.query<{ run_id: string }>(text, [account.org])).rows[0]?.run_id;
    }),
  );
  await answer(run, true);
}

describe('a capped run', () => {
  it('over REST: parks, holds no more than its cap, and goes on to its answer when it is allowed more', async () => {
    const run = await askOverRest();
    const [held] = await withOwner(on.stores.postgres_url, async (client) => {
      const text = `select h.held_micro::text as held from netra.hold h join netra.run r using (org_id, hold_id)
                     where r.run_id = $1`;
      return (await client.query<{ held: string }>(text, [run])).rows;
    });
    expect(held).toEqual({ held: cap });
    expect(await answer(run, true)).toMatchObject({ status: 202 });
    const events = await ended(run);
    expect(events.find(({ type }) => type === 'agent_started')).toMatchObject({ data: { max_credits_micro: cap } });
    expect(events.find(({ type }) => type === 'approval_requested')).toMatchObject({
      data: { call_id: 'budget_1', tool: 'budget', input: { max_credits_micro: cap, raise_micro: cap } },
    });
    expectPaid(events, 2n * BigInt(cap));
  });

  it('over the socket: the question and its answer are frames, and a no ends it with what was used', async () => {
    const socket = await connectSocket({ ws: server.ws, token: account.token });
    const ask = { type: 'run', agent: 'triage', input: null, idempotency_key: randomUUID() } as const;
    socket.send({ ...ask, id: 1, max_credits_micro: cap });
    const accepted = await socket.waitFor('accepted', (frame) => frame.type === 'accepted' && frame.id === 1);
    const { run } = accepted as { run: string };
    socket.send({ type: 'subscribe', id: 2, run, after: 0 });
    await socket.waitFor('the question', (frame) => frame.type === 'approval_requested' && frame.run === run);
    await parked(run);
    // The same key with another cap is another request.
    socket.send({ ...ask, id: 3, max_credits_micro: '20000000' });
    expect(await socket.waitFor('a refusal', (frame) => frame.type === 'error' && frame.id === 3)).toMatchObject({
      code: 'idempotency_key_reused',
    });
    socket.send({ type: 'approve', id: 4, run, call: 'budget_1', approved: false });
    expect(await socket.waitForEnd(run)).toMatchObject(refusedAtCap);
    await socket.close();
  });

  it('in the client: one loop asks, answers and reads to the end', async () => {
    const client: Client = createClient({ url: server.url, token: account.token });
    const handle = await client.run({ agent: 'triage', input: null, max_credits_micro: cap });
    const events: EventFrame[] = [];
    for await (const event of handle) {
      events.push(event);
      if (event.type !== 'approval_requested') continue;
      await parked(handle.run);
      await handle.approve(event.data.call_id, true);
    }
    expectPaid(events, 2n * BigInt(cap));
    const quote = await client.quote({ agent: 'triage', max_credits_micro: cap });
    expect(quote).toMatchObject({ fee_micro: cap, highest_micro: cap, expected_micro: cap });
    const caps = { overage_micro: '0', total_micro: '90000000000', member_micro: null };
    expect(await client.setSpendingCaps(caps)).toMatchObject({ caps });
    expect(await client.spending()).toMatchObject({ caps, overage: 'soft', overage_used_micro: '0' });
    const bad = client.setSpendingCaps({ ...caps, total_micro: '-1' });
    await expect(bad).rejects.toMatchObject({ code: 'invalid_request', status: 400 });
    client.close();
  });

  it('of many answers at once one counts: the cap is raised once', async () => {
    const run = await askOverRest();
    const answers = await Promise.all(Array.from({ length: 12 }, (_, place) => answer(run, place % 2 === 0)));
    const states = new Set(answers.map(({ status }) => status));
    expect([...states].toSorted()).toEqual([202, 409]);
    const events = await ended(run);
    expect(events.filter(({ type }) => type === 'approval_given')).toHaveLength(1);
  });

  it('is answered by its own organisation only, and only what it asked', async () => {
    const run = await askOverRest();
    expect(await answer(run, true, stranger)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const other = await answer(run, true, account, 'budget_2');
    expect(other).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(await stateOf(run)).toBe('parked');
    expect(await send(account, 'POST', `/v1/runs/${run}/cancel`, {})).toMatchObject({ status: 202 });
    expect((await ended(run)).at(-1)).toMatchObject({
      type: 'agent_cancelled',
      data: { credits: { spent_micro: '0' } },
    });
  });

  it('over other people’s wires: each carries the cap, and AG-UI the question and its answer as well', async () => {
    const stream = async (path: string, body: unknown): Promise<string> => {
      const headers = { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' };
      const response = await fetch(`${server.url}/compat${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return response.text();
    };
    const said = { threadId: randomUUID(), messages: [{ id: 'm', role: 'user', content: 'go' }] };
    const forwardedProps = { input: null, max_credits_micro: cap };
    const asked = await stream('/ag-ui/triage', { ...said, runId: 'one', forwardedProps });
    expect(asked).toContain('"outcome":{"type":"interrupt","interrupts":[{"id":"budget_1"');
    const resume = [{ interruptId: 'budget_1', status: 'resolved', payload: true }];
    expect(await stream('/ag-ui/triage', { ...said, runId: 'two', resume })).toContain('"outcome":{"type":"success"}');

    const background = {
      model: 'triage',
      input: 'go',
      netra_input: null,
      netra_max_credits_micro: cap,
      background: true,
    };
    const { id } = JSON.parse(await stream('/openai/v1/responses', background)) as { id: string };
    const run = id.replace('resp_', '');
    await parked(run);
    await answer(run, true);
    expectPaid(await ended(run), 2n * BigInt(cap));

    const messages = [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'go' }] }];
    const chat = { id: randomUUID(), messages, agent: 'triage', input: null, max_credits_micro: cap };
    const [chunks] = await Promise.all([stream('/ai-sdk/chat', chat), answerWhenAsked()]);
    expect(chunks).toContain('"type":"data-approval_requested"');
    expect(chunks).toContain('"type":"finish"');
  });

  // Planted bug that turns it red: an answer that goes to the thread's latest run.
  it('AG-UI: an answer is for the run that asked, not for a later question that waits behind it', async () => {
    const headers = { authorization: `Bearer ${account.token}` };
    const agentOn = (threadId: string): HttpAgent => {
      const agent = new HttpAgent({ url: `${server.url}/compat/ag-ui/triage`, headers, threadId });
      agent.addMessage({ id: randomUUID(), role: 'user', content: 'go' });
      return agent;
    };
    const play = async (agent: HttpAgent, input: Parameters<HttpAgent['runAgent']>[0]): Promise<BaseEvent[]> => {
      const events: BaseEvent[] = [];
      await agent.runAgent(input, { onEvent: ({ event }) => void events.push(event) });
      return events;
    };
    const threadId = randomUUID();
    const first = agentOn(threadId);
    const asked = await play(first, { runId: 'one', forwardedProps: { input: null, max_credits_micro: cap } });
    expect(asked.at(-1)).toMatchObject({ outcome: { type: 'interrupt', interrupts: [{ id: 'budget_1' }] } });
    const behind = play(agentOn(threadId), { runId: 'behind', forwardedProps: { input: null } });
    await eventually('the later question to wait', () =>
      withOwner(on.stores.postgres_url, async (client) => {
        const text = `select from netra.run where org_id = $1 and state = 'waiting'`;
        return (await client.query(text, [account.org])).rowCount === 1 || null;
      }),
    );
    const resume = [{ interruptId: 'budget_1', status: 'resolved' as const, payload: true }];
    const end = { type: 'RUN_FINISHED', threadId, outcome: { type: 'success' } };
    expect((await play(first, { runId: 'two', resume })).at(-1)).toMatchObject({ ...end, runId: 'two' });
    expect((await behind).at(-1)).toMatchObject({ ...end, runId: 'behind' });
  });

  it('takes a whole amount in a string, and nothing else', async () => {
    const thread = String((await send(account, 'POST', '/v1/threads', {})).body['thread']);
    const socket = await connectSocket({ ws: server.ws, token: account.token });
    const bad = [1e7, '-1', '1.5', '', '1'.repeat(19), null, true];
    for (const [place, max_credits_micro] of bad.entries()) {
      const ask = { agent: 'triage', input: null, max_credits_micro };
      const refused = await send(account, 'POST', `/v1/threads/${thread}/runs`, ask);
      expect(refused, String(max_credits_micro)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
      socket.sendRaw(JSON.stringify({ type: 'run', id: place, idempotency_key: randomUUID(), ...ask }));
      const frame = await socket.waitFor('a refusal', (each) => each.type === 'error' && each.id === place);
      expect(frame, String(max_credits_micro)).toMatchObject({ code: 'invalid_frame' });
      // Nonsense in a row ends a socket; this is not about that.
      socket.send({ type: 'cancel', id: `${place}`, run: randomUUID() });
    }
    await socket.close();
  });
});
