/**
 * Segment: teams whose clients send the whole conversation with each question
 * Goal: the model is told each turn once, whoever kept it: the client that brings it along, or the thread that has it here
 * Value: a chat that moves here goes on where it was, and never answers its own echo
 * Strategic impact: other people's clients work unchanged only if their conversations do
 */
import { HttpAgent } from '@ag-ui/client';
import { createAccount, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { DefaultChatTransport, type UIMessage } from 'ai';
import OpenAI from 'openai';
import { beforeAll, expect, it } from 'vitest';
import { openModel } from '../../../server/agents/index.ts';
import { serveModel, type Endpoint } from '../../integration/openai-endpoint.ts';

const home = suite();
let endpoint: Endpoint;
let server: TestServer;
let account: TestAccount;
let openai: OpenAI;
beforeAll(async () => {
  endpoint = await serveModel(openModel('planner', { model: null }));
  home.onEnd(() => endpoint.close());
  const model = { NETRA_MODEL_URL: endpoint.url, NETRA_MODEL_NAME: 'gpt-4o', NETRA_MODEL_KEY: 'key-of-nobody' };
  const env = { ...home.env, ...model };
  account = await createAccount({ env, plan: 'enterprise' });
  server = await startServer({ env });
  home.onEnd(() => server.stop());
  openai = new OpenAI({ baseURL: `${server.url}/compat/openai/v1`, apiKey: account.token, maxRetries: 0 });
});

/** What the model was told before this question, of texts that we chose; its own answers as `answer`. */
function toldBefore(question: string): readonly string[] {
  const asked = endpoint.calls.find(
    ({ request }) => request.messages.findLast(({ role }) => role === 'user')?.content === question,
  );
  const messages = asked?.request.messages.slice(1, -1) ?? [];
  return messages.map(({ role, content }) => (role === 'user' || content?.startsWith('I ') ? `${content}` : 'answer'));
}

const said = (role: 'user' | 'assistant', text: string): UIMessage => ({
  id: `${role}-${text}`,
  role,
  parts: [{ type: 'text', text }],
});

// Planted bugs that turn it red: a prelude for a thread that has turns; messages of a request read as turns each time.
it('AI SDK: what the client had before is told once, then the thread’s own turns are', async () => {
  const transport = new DefaultChatTransport({
    api: `${server.url}/compat/ai-sdk/chat`,
    headers: { authorization: `Bearer ${account.token}` },
    body: { agent: 'triage' },
  });
  const messages = [said('user', 'ai before'), said('assistant', 'I was elsewhere'), said('user', 'ai first')];
  const ask = async (): Promise<void> => {
    const request = { trigger: 'submit-message', chatId: 'chat-of-two', messageId: undefined } as const;
    const stream = await transport.sendMessages({ ...request, messages, abortSignal: undefined });
    await Array.fromAsync(stream);
  };
  await ask();
  messages.push(said('assistant', 'I as the client shows it'), said('user', 'ai second'));
  await ask();
  expect(toldBefore('ai first')).toEqual(['ai before', 'I was elsewhere']);
  expect(toldBefore('ai second')).toEqual(['ai before', 'I was elsewhere', 'ai first', 'answer']);
});

it('AG-UI: the same', async () => {
  const headers = { authorization: `Bearer ${account.token}` };
  const agent = new HttpAgent({ url: `${server.url}/compat/ag-ui/triage`, headers, threadId: 'thread-of-two' });
  agent.addMessage({ id: '1', role: 'user', content: 'ag before' });
  agent.addMessage({ id: '2', role: 'assistant', content: 'I was elsewhere' });
  for (const question of ['ag first', 'ag second']) {
    agent.addMessage({ id: question, role: 'user', content: question });
    await agent.runAgent({ runId: question });
  }
  expect(toldBefore('ag first')).toEqual(['ag before', 'I was elsewhere']);
  expect(toldBefore('ag second')).toEqual(['ag before', 'I was elsewhere', 'ag first', 'answer']);
});

it('OpenAI: chat completions bring their conversation along; responses go on in their own', async () => {
  const before = [
    { role: 'system', content: 'You are a pirate.' },
    { role: 'user', content: 'oa before' },
    { role: 'assistant', content: 'I was elsewhere' },
  ] as const;
  const messages = [...before, { role: 'user', content: 'oa first' } as const];
  const once = { headers: { 'Idempotency-Key': 'one-completion' } };
  const first = await openai.chat.completions.create({ model: 'triage', messages }, once);
  expect((await openai.chat.completions.create({ model: 'triage', messages }, once)).id).toBe(first.id);
  const another = openai.chat.completions.create({ model: 'triage', messages: messages.slice(2) }, once);
  await expect(another).rejects.toMatchObject({ status: 409 });
  await openai.chat.completions.create({ model: 'triage', messages: [{ role: 'user', content: 'oa alone' }] });
  const told = await openai.responses.create({
    model: 'triage',
    input: [...before.slice(1), { role: 'user', content: 'oa response' }],
  });
  await openai.responses.create({ model: 'triage', input: 'oa next', previous_response_id: told.id });

  expect(toldBefore('oa first')).toEqual(['oa before', 'I was elsewhere']);
  expect(toldBefore('oa alone')).toEqual([]);
  expect(toldBefore('oa response')).toEqual(['oa before', 'I was elsewhere']);
  expect(toldBefore('oa next')).toEqual(['oa before', 'I was elsewhere', 'oa response', 'answer']);
});
