/**
 * Segment: teams whose web application is built on the AI SDK.
 * Goal: `useChat` works against the server unchanged, in the versions that people have, streaming and resuming.
 * Value: an existing chat page gets durable, billed agents by a change of its URL.
 * Strategic impact: nobody rewrites a front end to try us.
 */
import { useChat as useChat7 } from '@ai-sdk/react';
import {
  createAccount,
  eventually,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { DefaultChatTransport as Transport7 } from 'ai';
import { DefaultChatTransport as Transport5 } from 'ai-5';
import { DefaultChatTransport as Transport6 } from 'ai-6';
import { useChat as useChat5 } from 'ai-react-5';
import { useChat as useChat6 } from 'ai-react-6';
import { beforeAll, describe, expect, it } from 'vitest';
import { cutLatestRun } from './cut-latest-run.ts';
import { renderHook, type Rendered } from './render-hook.ts';

interface Part {
  readonly type: string;
  readonly text?: string;
  readonly state?: string;
  readonly output?: unknown;
}

interface Message {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly Part[];
  readonly metadata?: unknown;
}

/** What the three versions of the hook have in common. */
interface Chat {
  readonly messages: readonly Message[];
  readonly status: string;
  readonly error: Error | undefined;
  sendMessage(message: { text: string }): Promise<void>;
  regenerate(): Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  readonly id: string;
  readonly body: object;
  readonly resume?: boolean;
  readonly messages?: readonly Message[];
}

const home = suite();
let server: TestServer;
let account: TestAccount;
beforeAll(async () => {
  account = await createAccount({ env: home.env, plan: 'enterprise' });
  server = await startServer({ env: home.env });
  home.onEnd(() => server.stop());
});

const api = (): { api: string; headers: Record<string, string> } => ({
  api: `${server.url}/compat/ai-sdk/chat`,
  headers: { authorization: `Bearer ${account.token}` },
});

// Each version types its messages in its own way; what the test reads of them is the same.
const versions = {
  5: ({ body, ...rest }: Options): Chat =>
    useChat5({ ...(rest as object), transport: new Transport5({ ...api(), body }) }) as unknown as Chat,
  6: ({ body, ...rest }: Options): Chat =>
    useChat6({ ...(rest as object), transport: new Transport6({ ...api(), body }) }) as unknown as Chat,
  7: ({ body, ...rest }: Options): Chat =>
    useChat7({ ...(rest as object), transport: new Transport7({ ...api(), body }) }) as unknown as Chat,
} as const;

const text = (message: Message | undefined): string =>
  (message?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');

const idle = (chat: Rendered<Chat>): Promise<unknown> =>
  eventually('the chat is done', () => ['ready', 'error'].includes(chat.current.status), { deadline_ms: 20_000 });

const rehearsal = (input: object): object => ({ agent: 'rehearsal', input });

describe.each(['5', '6', '7'] as const)('the AI SDK %s', (version) => {
  const hook = versions[version];

  // Planted bug that turns it red: a chunk type of our own (the client throws), or a text part that is not closed.
  it('streams a run into one message: text, tools with their results, what it was charged', async () => {
    const options = { id: `chat-${version}`, body: rehearsal({ steps: 3, deltas: 2, tool: 'hash' }) };
    const chat = await renderHook(() => hook(options));
    await chat.current.sendMessage({ text: 'go' });
    await idle(chat);
    expect(chat.current.error).toBeUndefined();
    const [question, answer, ...rest] = chat.current.messages;
    expect(rest).toEqual([]);
    expect([question?.role, answer?.role]).toEqual(['user', 'assistant']);
    const tools = answer?.parts.filter(({ type }) => type === 'dynamic-tool') ?? [];
    expect(tools.map(({ state }) => state)).toEqual(['output-available', 'output-available']);
    expect(answer?.metadata).toMatchObject({
      run: answer?.id,
      agent: 'rehearsal',
      credits: { spent_micro: '1000000' },
    });
    expect(text(answer)).toBe(await loggedText(answer?.id ?? ''));
    chat.unmount();
  });

  // Planted bug that turns it red: a disconnect that cancels the run; a resume that begins behind the first event.
  it('resumes in another page after the first has gone, and repeats nothing', async () => {
    const options = { id: `resumed-${version}`, body: rehearsal({ steps: 30, deltas: 2, step_ms: 100, tool: 'wait' }) };
    const first = await renderHook(() => hook(options));
    const sent = first.current.sendMessage({ text: 'go' });
    // Not its text: that comes with the last step, and there would be little left to resume.
    await eventually('a step', () =>
      (first.current.messages[1]?.parts ?? []).some(({ type }) => type === 'dynamic-tool'),
    );
    const asked = first.current.messages.slice(0, 1);
    await first.current.stop();
    await sent;
    first.unmount();
    const second = await renderHook(() => hook({ ...options, resume: true, messages: asked }));
    await eventually('the answer is resumed', () => second.current.messages.length === 2);
    await idle(second);
    const answer = second.current.messages[1];
    expect(text(answer)).toBe(await loggedText(answer?.id ?? ''));
    expect(answer?.metadata).toMatchObject({ credits: { spent_micro: '1000000' } });
    second.unmount();
  });

  it('has nothing to resume once the run has ended, and says why a run was refused', async () => {
    const options = { id: `chat-${version}`, body: rehearsal({}), resume: true };
    const ended = await renderHook(() => hook(options));
    await idle(ended);
    expect(ended.current).toMatchObject({ messages: [], error: undefined });
    ended.unmount();
    const unknown = await renderHook(() => hook({ id: `none-${version}`, body: { agent: 'nobody' } }));
    await unknown.current.sendMessage({ text: 'hello?' });
    await idle(unknown);
    expect(unknown.current.error?.message).toContain('agent_not_in_plan');
    unknown.unmount();
  });

  it('asks again when the application asks for another answer', async () => {
    const chat = await renderHook(() => hook({ id: `again-${version}`, body: rehearsal({ steps: 1 }) }));
    await chat.current.sendMessage({ text: 'go' });
    await idle(chat);
    const first = chat.current.messages[1]?.id;
    await chat.current.regenerate();
    await eventually('another answer', () => {
      const id = chat.current.messages[1]?.id;
      return chat.current.status === 'ready' && id !== undefined && id !== first;
    });
    expect(chat.current.messages).toHaveLength(2);
    chat.unmount();
  });
});

// Planted bug that turns it red: openRun() that does not look at what was cut.
it('says that a run is no longer kept where retention cut it, rather than telling its rest as the whole', async () => {
  const question = { id: 'question', role: 'user' as const, parts: [{ type: 'text' as const, text: 'go' }] };
  const request = {
    trigger: 'submit-message',
    chatId: 'chat-cut',
    messageId: undefined,
    abortSignal: undefined,
  } as const;
  const ask = (Transport: typeof Transport7, url: string) => {
    const body = rehearsal({ steps: 3, tool: 'hash' });
    const transport = new Transport({ ...api(), api: `${url}/compat/ai-sdk/chat`, body });
    return transport.sendMessages({ ...request, messages: [question] });
  };
  await Array.fromAsync(await ask(Transport7, server.url));
  await withOwner(home.stores.postgres_url, (client) => cutLatestRun(client, account.org));
  // Another node: this one may have the run in memory still.
  const another = await startServer({ env: home.env });
  home.onEnd(() => another.stop());
  for (const Transport of [Transport5, Transport6, Transport7]) {
    const asked = ask(Transport as unknown as typeof Transport7, another.url);
    await expect(asked).rejects.toThrow(/"code":"not_found".*no longer kept|no longer kept.*"code":"not_found"/s);
  }
});

/** What the run's log says was answered, read as the API gives it. */
async function loggedText(run: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/runs/${run}/events`, {
    headers: { authorization: `Bearer ${account.token}` },
  });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
  const events = lines.map((line) => JSON.parse(line.slice(6)) as { type: string; data?: { text?: string } });
  const said = events.flatMap(({ type, data }) => (type === 'agent_message' ? [data?.text ?? ''] : []));
  expect(said.length, 'the log has answers').toBeGreaterThan(0);
  return said.join('');
}
