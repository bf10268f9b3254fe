/**
 * Segment: teams whose code calls models through OpenAI's client.
 * Goal: the `openai` package runs our agents unchanged: completions and responses, whole, streamed, in the background.
 * Value: any program that can ask a model can ask an agent, and take its stream up again where it was cut.
 * Strategic impact: the most spoken protocol there is.
 */
import {
  createAccount,
  eventually,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import OpenAI from 'openai';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { beforeAll, describe, expect, it } from 'vitest';
import { cutLatestRun } from './cut-latest-run.ts';

const home = suite();
let server: TestServer;
let account: TestAccount;
let openai: OpenAI;
beforeAll(async () => {
  account = await createAccount({ env: home.env, plan: 'enterprise' });
  server = await startServer({ env: home.env });
  home.onEnd(() => server.stop());
  openai = new OpenAI({ baseURL: `${server.url}/compat/openai/v1`, apiKey: account.token, maxRetries: 0 });
});

const ask = (input: object): { model: string; messages: { role: 'user'; content: string }[]; netra_input: object } => ({
  model: 'rehearsal',
  messages: [{ role: 'user', content: 'go' }],
  netra_input: input,
});
const request = (netra_input: object): { model: string; input: string; netra_input: object } => ({
  model: 'rehearsal',
  input: 'go',
  netra_input,
});

async function all(stream: AsyncIterable<ResponseStreamEvent>): Promise<ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

describe('chat completions', () => {
  it('lists the agents as models', async () => {
    const models = await openai.models.list();
    expect(models.data.map(({ id }) => id)).toEqual(expect.arrayContaining(['triage', 'data', 'optimization']));
  });

  // Planted bug that turns it red: text of a voided answer kept in the completion, or deltas sent twice.
  it('says the same whole as streamed', async () => {
    const whole = await openai.chat.completions.create(ask({ steps: 3, deltas: 3, tool: 'hash' }));
    const streamed = await openai.chat.completions.create({
      ...ask({ steps: 3, deltas: 3, tool: 'hash' }),
      stream: true,
    });
    let text = '';
    let finish: string | null = null;
    for await (const chunk of streamed) {
      text += chunk.choices[0]?.delta.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'stop', message: { role: 'assistant' } });
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(text.length).toBeGreaterThan(0);
    expect(finish).toBe('stop');
  });

  it('refuses in the words that the client reads', async () => {
    const unknown = openai.chat.completions.create({ ...ask({}), model: 'nobody' });
    await expect(unknown).rejects.toMatchObject({ status: 403, code: 'agent_not_in_plan' });
    const stranger = new OpenAI({ baseURL: openai.baseURL, apiKey: 'not-a-token', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, code: 'unauthenticated' });
  });
});

describe('responses', () => {
  // Planted bug that turns it red: sequence numbers counted from the cursor instead of from the first event.
  it('takes a cut stream up again after any event, without a gap or a repeat', async () => {
    const stream = await openai.responses.create({ ...request({ steps: 3, deltas: 2, tool: 'hash' }), stream: true });
    const events = await all(stream);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    const [created] = events;
    if (created?.type !== 'response.created') throw new Error('the first event is response.created');
    for (const { sequence_number: starting_after } of events) {
      const query = { stream: true, starting_after } as const;
      const rest = await all(await openai.responses.retrieve(created.response.id, query));
      expect(rest).toEqual(events.slice(starting_after + 1));
    }
    const last = events.at(-1);
    if (last?.type !== 'response.completed') throw new Error('the last event is response.completed');
    expect(await openai.responses.retrieve(created.response.id)).toMatchObject({
      status: 'completed',
      output_text: last.response.output_text,
    });
    expect(last.response.output.map(({ type }) => type)).toEqual(expect.arrayContaining(['message', 'mcp_call']));
  });

  it('works in the background, goes on in the same conversation, and can be cancelled', async () => {
    const slow = request({ steps: 4, step_ms: 100, tool: 'wait' });
    const begun = await openai.responses.create({ ...slow, background: true });
    expect(begun.status).toBe('in_progress');
    const done = await eventually('the response is complete', async () => {
      const now = await openai.responses.retrieve(begun.id);
      return now.status === 'completed' ? now : undefined;
    });
    const next = await openai.responses.create({ ...request({ steps: 1 }), previous_response_id: done.id });
    expect(await threadOf(next.id)).toBe(await threadOf(done.id));
    const long = await openai.responses.create({ ...request({ steps: 50, step_ms: 200 }), background: true });
    expect(await openai.responses.cancel(long.id)).toMatchObject({ status: 'cancelled' });
  });

  it('gives a request with the same Idempotency-Key the same response', async () => {
    const once = { headers: { 'Idempotency-Key': 'the-same' } };
    const first = await openai.responses.create(request({ steps: 1 }), once);
    expect((await openai.responses.create(request({ steps: 1 }), once)).id).toBe(first.id);
    await expect(openai.responses.create(request({ steps: 2 }), once)).rejects.toMatchObject({ status: 409 });
  });

  // Planted bug that turns it red: a followRun() that goes on behind a `reset`.
  it('says that a run is no longer kept where retention cut it, rather than telling its rest as the whole', async () => {
    const mine = await openai.responses.create(request({ steps: 3, deltas: 2, tool: 'hash' }));
    await withOwner(home.stores.postgres_url, (client) => cutLatestRun(client, account.org));
    // Another node: this one may have the run in memory still.
    const another = await startServer({ env: home.env });
    home.onEnd(() => another.stop());
    const there = new OpenAI({ baseURL: `${another.url}/compat/openai/v1`, apiKey: account.token, maxRetries: 0 });
    const not_kept = { status: 404, message: expect.stringContaining('no longer kept') as unknown };
    await expect(there.responses.retrieve(mine.id)).rejects.toMatchObject(not_kept);
    await expect(there.responses.retrieve(mine.id, { stream: true })).rejects.toMatchObject(not_kept);
  });

  it('knows nothing of another organisation’s responses', async () => {
    const mine = await openai.responses.create(request({ steps: 1 }));
    const stranger = await createAccount({ env: home.env, plan: 'enterprise' });
    const other = new OpenAI({ baseURL: openai.baseURL, apiKey: stranger.token, maxRetries: 0 });
    await expect(other.responses.retrieve(mine.id)).rejects.toMatchObject({ status: 404 });
    await expect(other.responses.cancel(mine.id)).rejects.toMatchObject({ status: 404 });
    await expect(other.responses.create({ ...request({}), previous_response_id: mine.id })).rejects.toMatchObject({
      status: 404,
    });
    await expect(openai.responses.retrieve('resp_nonsense')).rejects.toMatchObject({ status: 404 });
  });
});

async function threadOf(response: string): Promise<string> {
  const answer = await fetch(`${server.url}/v1/runs/${response.replace('resp_', '')}`, {
    headers: { authorization: `Bearer ${account.token}` },
  });
  return ((await answer.json()) as { thread: string }).thread;
}
