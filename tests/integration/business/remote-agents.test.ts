/**
 * Segment: teams whose agent exists already, in any language.
 * Goal: an AG-UI agent at a URL is an agent here: its events are ours, its end is ours, and a crash of ours does what its
 * effects allow.
 * Value: accounts, credits and a stream that survives, for an agent that knows of none of them.
 * Strategic impact: nobody has to rewrite an agent to sell it.
 *
 * Planted bug that turns this red: a stream that ends without RUN_FINISHED taken for an answer.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, eventually, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { serveAgUi, type AgUiServer } from '../ag-ui-server.ts';

const on = suite();
let peer: AgUiServer;
let dir: string;
let account: TestAccount;
let server: TestServer;

const start = (): Promise<TestServer> =>
  startServer({
    env: {
      ...on.env,
      NETRA_AGENTS_DIR: dir,
      NETRA_AGENTS_HOSTS: `127.0.0.1:${peer.port}`,
      NETRA_LEASE_MS: '1000',
      PEER_TOKEN: 'of the peer',
    },
  });

beforeAll(async () => {
  peer = await serveAgUi();
  on.onEnd(() => peer.close());
  dir = await mkdtemp(join(tmpdir(), 'netra-remote-agents-'));
  on.onEnd(() => rm(dir, { recursive: true, force: true }));
  const write = (name: string, path: string, effects?: string): Promise<void> => {
    const url = `http://127.0.0.1:${peer.port}${path}`;
    const agent = {
      name,
      title: name,
      description: name,
      fee: 1,
      url,
      effects,
      headers: { 'x-token': '${PEER_TOKEN}' },
    };
    return writeFile(join(dir, `${name}.agent.json`), JSON.stringify(agent));
  };
  await write('peer', '/');
  await write('again', '/', 'idempotent');
  for (const path of ['error', 'early', 'redirect']) await write(path, `/${path}`);
  account = await createAccount({ env: on.env, plan: 'enterprise' });
  server = await start();
  on.onEnd(() => server.stop());
}, 60_000);

async function follow(run: string): Promise<readonly EventFrame[]> {
  const client = createClient({ url: server.url, token: account.token });
  const events: EventFrame[] = [];
  await client.follow(run).finished((event) => events.push(event));
  client.close();
  return events;
}

async function ask(agent: string, input = 'what is it?'): Promise<string> {
  const client = createClient({ url: server.url, token: account.token });
  const { run } = await client.run({ agent, input });
  client.close();
  return run;
}

const typesOf = (events: readonly EventFrame[]): readonly string[] => events.map(({ type }) => type);
const answered = { text: 'You asked: what is it?', state: { looked: ['netra'] } };

describe('an AG-UI agent at a URL', () => {
  it('streams what it thinks, calls and says, keeps its state, and is charged', async () => {
    const run = await ask('peer');
    const events = await follow(run);
    expect(typesOf(events)).toEqual([
      'agent_started',
      'tool_executing',
      'agent_thinking',
      'tool_executing',
      'tool_completed',
      'agent_message',
      'tool_completed',
      'agent_completed',
    ]);
    expect(events[3]).toMatchObject({ data: { call_id: 'call_2', tool: 'look_up', input: { word: 'netra' } } });
    expect(events[4]).toMatchObject({ data: { call_id: 'call_2', ok: true, output: { means: 'eye' } } });
    expect(events.at(-1)).toMatchObject({ data: { output: answered, credits: { spent_micro: '1000000' } } });
    expect(peer.asked.at(-1)).toMatchObject({ token: 'of the peer', input: { runId: run } });
  }, 30_000);

  it.for([
    ['error', 'out of luck'],
    ['early', 'no end'],
    ['redirect', 'the status 302'],
  ] as const)('ends with remote_failed where it gives %s, and costs nothing', async ([agent, why]) => {
    const events = await follow(await ask(agent));
    expect(events.at(-1)).toMatchObject({
      type: 'agent_failed',
      data: { code: 'remote_failed', message: expect.stringContaining(why), credits: { spent_micro: '0' } },
    });
  });

  it('after a crash asks before it runs again, or runs again under the same id where it may', async () => {
    peer.hold = true;
    const before = peer.asked.length;
    const [once, again] = [await ask('peer'), await ask('again')];
    const askedFor = (run: string): number =>
      peer.asked.slice(before).filter(({ input }) => input.runId === run).length;
    await eventually('both in the middle', () =>
      Promise.resolve((askedFor(once) === 1 && askedFor(again) === 1) || null),
    );
    await server.kill();
    peer.hold = false;
    server = await start();

    expect((await follow(again)).at(-1)).toMatchObject({ type: 'agent_completed', data: { output: answered } });
    expect(askedFor(again)).toBe(2);
    const path = `${server.url}/v1/runs/${once}`;
    const headers = { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' };
    await eventually('a question', async () => {
      const { state } = (await (await fetch(path, { headers })).json()) as { state: string };
      return state === 'parked' || null;
    });
    expect(askedFor(once)).toBe(1);
    await fetch(`${path}/approvals/call_1`, { method: 'POST', headers, body: '{"approved":true}' });
    const events = await follow(once);
    expect(events.at(-1)).toMatchObject({ type: 'agent_completed', data: { output: answered } });
    expect(askedFor(once)).toBe(2);
  }, 60_000);
});
