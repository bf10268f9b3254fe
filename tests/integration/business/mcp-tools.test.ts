/**
 * Segment: teams whose tools are behind the Model Context Protocol already.
 * Goal: an agent calls what its file allows of a public server, over stdio and over HTTP, and nothing else; what goes wrong
 * there is told to the model, and the run goes on.
 * Value: every server that there is becomes tools, and none of them sees our secrets or more than it was given.
 * Strategic impact: an agent is worth what it can reach.
 *
 * Bugs that are to turn this red (none was planted yet): a list of tools that is not filtered; a child that inherits the environment; a
 * connection that is kept after its server has died.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createClient } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, eventually, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
const packages = resolve('node_modules/@modelcontextprotocol');
const everything = join(packages, 'server-everything/dist/index.js');
let dir: string;
let files: string;
let port: number;
let peer: ChildProcess;
let server: TestServer;
let account: TestAccount;

/** Calls what its input says, one call after the other, and answers with what came. */
const agentFile = () => `
import { defineAgent, mcpServer, z } from '@netra/agent';
const free = { effects: 'none' } as const;
export default defineAgent({
  name: 'caller',
  title: 'Caller',
  description: 'Calls tools.',
  fee: 1,
  input: z.array(z.object({ call: z.string(), input: z.unknown() })),
  mcp: [
    mcpServer({
      name: 'everything',
      command: process.execPath,
      args: ['${everything}', 'stdio'],
      env: { GIVEN: '\${CALLER_GIVEN}' },
      tools: {
        'get-sum': free,
        'get-env': { ...free, as: 'environment' },
        'trigger-long-running-operation': { ...free, timeout_ms: 300 },
      },
    }),
    mcpServer({
      name: 'files',
      command: process.execPath,
      args: ['${join(packages, 'server-filesystem/dist/index.js')}', '${files}'],
      tools: { read_text_file: { ...free, max_output_bytes: 1_000 } },
    }),
    mcpServer({ name: 'web', url: 'http://127.0.0.1:${port}/mcp', tools: { echo: free } }),
  ],
  *steps({ input, results }) {
    const next = input[results.length];
    if (next) yield { call: next.call, input: next.input };
  },
  complete: ({ results }) => results,
});
`;

async function startPeer(): Promise<void> {
  peer = spawn(process.execPath, [everything, 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: 'ignore',
  });
  await eventually('the peer', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/mcp`).catch(() => null);
    return answer === null ? null : answer.body?.cancel().then(() => true);
  });
}

async function stopPeer(): Promise<void> {
  if (peer.exitCode !== null || peer.signalCode !== null) return;
  peer.kill('SIGKILL');
  await once(peer, 'exit');
}

beforeAll(async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  port = (probe.address() as AddressInfo).port;
  probe.close();
  await startPeer();
  on.onEnd(stopPeer);
  dir = await mkdtemp(join(tmpdir(), 'netra-mcp-'));
  files = await mkdtemp(join(tmpdir(), 'netra-mcp-files-'));
  on.onEnd(async () => {
    await rm(dir, { recursive: true, force: true });
    await rm(files, { recursive: true, force: true });
  });
  await writeFile(join(files, 'small.txt'), 'hello');
  await writeFile(join(files, 'large.txt'), 'x'.repeat(5_000));
  await writeFile(join(dir, 'caller.ts'), agentFile());
  account = await createAccount({ env: on.env, plan: 'enterprise' });
  server = await startServer({ env: environment() });
  on.onEnd(() => server.stop());
}, 90_000);

const environment = (agents = dir): Record<string, string> => ({
  ...on.env,
  NETRA_AGENTS_DIR: agents,
  NETRA_AGENTS_HOSTS: `127.0.0.1:${port}`,
  CALLER_GIVEN: 'this one',
});

interface Result {
  readonly ok: boolean;
  readonly output: Record<string, unknown>;
}

async function call(
  ...calls: readonly { readonly call: string; readonly input: unknown }[]
): Promise<readonly Result[]> {
  const client = createClient({ url: server.url, token: account.token });
  const events: EventFrame[] = [];
  const handle = await client.run({ agent: 'caller', input: calls });
  await handle.finished((event) => events.push(event));
  client.close();
  const end = events.at(-1);
  if (end?.type !== 'agent_completed') throw new Error(JSON.stringify(end));
  return end.data.output as Result[];
}

describe('servers of the Model Context Protocol', () => {
  it('give an agent the tools that its file names, over stdio and HTTP', async () => {
    const [sum, file, echo] = await call(
      { call: 'get-sum', input: { a: 2, b: 3 } },
      { call: 'read_text_file', input: { path: join(files, 'small.txt') } },
      { call: 'echo', input: { message: 'over HTTP' } },
    );
    expect(JSON.stringify(sum)).toContain('5');
    expect(JSON.stringify(file)).toContain('hello');
    expect(JSON.stringify(echo)).toContain('over HTTP');
  }, 30_000);

  it('tell the model what is wrong: a tool that is not allowed, an input, too much, too long', async () => {
    const [hidden, wrong, large, slow] = await call(
      { call: 'get-tiny-image', input: {} },
      { call: 'get-sum', input: { a: 'two' } },
      { call: 'read_text_file', input: { path: join(files, 'large.txt') } },
      { call: 'trigger-long-running-operation', input: { duration: 10, steps: 2 } },
    );
    expect(hidden).toMatchObject({ ok: false, output: { message: expect.stringContaining('there is no tool') } });
    expect(wrong).toMatchObject({ ok: false, output: { code: 'invalid_call' } });
    expect(large).toMatchObject({ ok: false, output: { message: expect.stringContaining('larger than 1000 bytes') } });
    expect(slow).toMatchObject({ ok: false, output: { message: expect.stringContaining('longer than 300 ms') } });
  }, 30_000);

  it('see of our environment only what they are given', async () => {
    const [seen] = await call({ call: 'environment', input: {} });
    const text = JSON.stringify(seen);
    expect(text).toContain('this one');
    expect(text).not.toContain('NETRA_');
  }, 30_000);

  it('may die: a call says so, and the next one finds the server that is there again', async () => {
    await stopPeer();
    const [gone] = await call({ call: 'echo', input: { message: 'anyone?' } });
    expect(gone).toMatchObject({ ok: false, output: { code: 'tool_failed' } });
    await startPeer();
    const answers = await call(
      { call: 'echo', input: { message: 'a' } },
      { call: 'echo', input: { message: 'back again' } },
    );
    expect(JSON.stringify(answers.at(-1))).toContain('back again');
  }, 30_000);

  it('that lack a tool, or stand where nobody vouches for, stop the start with file and field', async () => {
    const bad = await mkdtemp(join(tmpdir(), 'netra-mcp-bad-'));
    on.onEnd(() => rm(bad, { recursive: true, force: true }));
    const text = agentFile();
    await writeFile(join(bad, 'lacks.ts'), text.replace(`'get-sum': free`, `'get-nothing': free`));
    await writeFile(join(bad, 'where.ts'), text.replace(`127.0.0.1:${port}`, '127.0.0.1:1'));
    const refused = await startServer({ env: environment(bad) }).then(
      () => 'it started',
      (error: unknown) => String(error),
    );
    expect(refused).toContain('lacks.ts: mcp[0]: everything: the server has no tool get-nothing');
    expect(refused).toContain('where.ts: mcp[2].url');
  }, 60_000);
});
