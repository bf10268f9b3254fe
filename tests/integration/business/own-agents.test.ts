/**
 * Segment: teams that sell an agent of their own.
 * Goal: a file in a folder becomes an agent that is listed, charged, streamed and taken over like the built-in ones.
 * Value: nobody has to write accounts, credits, streams or recovery to put an agent in front of paying users.
 * Strategic impact: the product is where other people's agents run; this is the door to it.
 *
 * Bugs that are to turn this red (none was planted yet): a call that was allowed runs again under its old id after a crash, and so unasked; a
 * folder whose own name for a built-in agent wins; terms that are entered again at each start.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@netra/client';
import type { EventFrame } from '@netra/contract';
import { createAccount, eventually, runServerCommand, startServer, suite, type TestAccount } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
let dir: string;
let account: TestAccount;

const words = `
import { defineAgent, defineTool, z } from '@netra/agent';

export default defineAgent({
  name: 'words',
  title: 'Words',
  description: 'Counts words.',
  fee: 2,
  tools: [
    defineTool({
      name: 'count_words',
      description: 'Counts the words of a text.',
      effects: 'none',
      input: z.object({ text: z.string() }),
      execute: ({ input }) => ({ words: input.text.split(' ').length }),
    }),
  ],
  *steps({ question, results }) {
    if (results.length === 0) {
      yield { thinking: 'Let me count.' };
      return yield { call: 'count_words', input: { text: question } };
    }
    yield { text: 'It has ' };
    yield { text: JSON.stringify(results[0]?.output) };
  },
});
`;

/** Writes a line to a file each time that it happens; what is sent hangs for as long as the file \`hang\` is there. */
const letter = (folder: string) => `
import { appendFile, access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAgent, defineTool, z } from '@netra/agent';

export default defineAgent({
  name: 'letter',
  title: 'Letter',
  description: 'Sends a letter.',
  fee: '0.5',
  plans: ['mid', 'enterprise'],
  input: z.object({ to: z.string() }).strict(),
  question: ({ to }) => 'Write to ' + to,
  tools: [
    defineTool({
      name: 'send',
      description: 'Sends it.',
      effects: 'once',
      approval: 'always',
      input: z.object({ to: z.string() }),
      async execute({ input, idempotency_key, signal }) {
        await appendFile('${folder}/sent', input.to + ' ' + idempotency_key + '\\n');
        for (;;) {
          if (!(await access('${folder}/hang').then(() => true, () => false))) return { sent: true };
          await sleep(20, undefined, { signal });
        }
      },
    }),
  ],
  async *steps({ input, results }) {
    if (results.length === 0) yield { call: 'send', input: { to: input.to } };
    else yield { text: results[0]?.ok ? 'Sent.' : 'Not sent.' };
  },
  complete: ({ text, results }) => ({ text, sends: results.length }),
});
`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'netra-own-agents-'));
  on.onEnd(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'words.ts'), words);
  await writeFile(join(dir, 'letter.ts'), letter(dir));
  account = await createAccount({ env: on.env, plan: 'enterprise' });
}, 60_000);

const start = (agents: string = dir) =>
  startServer({ env: { ...on.env, NETRA_AGENTS_DIR: agents, NETRA_LEASE_MS: '1000' } });

async function read(url: string, path: string, { token }: TestAccount = account): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as Record<string, unknown>;
}

const stateOf = async (url: string, run: string): Promise<unknown> => (await read(url, `/v1/runs/${run}`))['state'];
const linesOf = async (): Promise<string[]> =>
  (await readFile(join(dir, 'sent'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

describe('an agent of the agents folder', () => {
  it('is listed with its fee, streamed, and charged once', async () => {
    const server = await start();
    on.onEnd(() => server.stop());
    const { items } = await read(server.url, '/v1/agents');
    expect(items).toContainEqual({
      agent: 'words',
      title: 'Words',
      description: 'Counts words.',
      fee_micro: '2000000',
      in_plan: true,
      plan_that_lifts_it: null,
    });
    const client = createClient({ url: server.url, token: account.token });
    const events: EventFrame[] = [];
    const handle = await client.run({ agent: 'words', input: 'one two three' });
    await handle.finished((event) => events.push(event));
    client.close();
    expect(events.map(({ type }) => type)).toEqual([
      'agent_started',
      'agent_thinking',
      'tool_executing',
      'tool_completed',
      'agent_message',
      'agent_completed',
    ]);
    expect(events.at(-1)).toMatchObject({
      data: { output: { text: 'It has {"words":3}' }, credits: { spent_micro: '2000000' } },
    });
    await server.stop();
  }, 60_000);

  it('waits for a yes, is killed in the middle of the call, asks again since it may have happened, and ends once', async () => {
    await writeFile(join(dir, 'hang'), '');
    const first = await start();
    const client = createClient({ url: first.url, token: account.token });
    const { run } = await client.run({ agent: 'letter', input: { to: 'ada' } });
    client.close();
    const parked = (url: string, call: string): Promise<unknown> =>
      eventually(`${run} parked for ${call}`, async () => (await stateOf(url, run)) === 'parked' || null);
    const allow = (url: string, call: string): Promise<Response> =>
      fetch(`${url}/v1/runs/${run}/approvals/${call}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
        body: '{"approved":true}',
      });
    await parked(first.url, 'call_1');
    expect(await linesOf()).toEqual([]);
    expect((await allow(first.url, 'call_1')).status).toBe(202);
    await eventually('the letter on its way', async () => (await linesOf()).length === 1 || null);
    await first.kill();

    const second = await start();
    on.onEnd(() => second.stop());
    await parked(second.url, 'call_2');
    // Nobody has sent it a second time without having asked.
    expect(await linesOf()).toEqual([`ada ${run}/call_2`]);
    await rm(join(dir, 'hang'));
    expect((await allow(second.url, 'call_2')).status).toBe(202);
    const events: EventFrame[] = [];
    const again = createClient({ url: second.url, token: account.token });
    await again.follow(run).finished((event) => events.push(event));
    again.close();
    expect(events.filter(({ type }) => type === 'approval_requested')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({
      type: 'agent_completed',
      data: { output: { text: 'Sent.', sends: 1 }, credits: { spent_micro: '500000' } },
    });
    await second.stop();
  }, 90_000);

  it('belongs to the plans that its terms name, until the operator says otherwise, also while periods run', async () => {
    const server = await start();
    const early = await createAccount({ env: on.env, plan: 'early' });
    const inPlan = async (): Promise<unknown> => {
      const { items } = await read(server.url, '/v1/agents', early);
      return (items as { agent: string }[]).find(({ agent }) => agent === 'letter');
    };
    expect(await inPlan()).toMatchObject({ in_plan: false, plan_that_lifts_it: 'mid', fee_micro: '500000' });
    const set = ['admin', 'agent', 'set', 'letter', '--plans', 'all', '--fee', '3', '--by', 'ada', '--json'];
    expect((await runServerCommand(set, on.env)).code).toBe(0);
    expect(await inPlan()).toMatchObject({ in_plan: true, fee_micro: '3000000' });
    await server.stop();
    // A start enters nothing again: the books are the operator's now.
    const later = await start();
    const { items } = await read(later.url, '/v1/agents', early);
    expect(items).toContainEqual(expect.objectContaining({ agent: 'letter', in_plan: true, fee_micro: '3000000' }));
    await later.stop();
  }, 90_000);

  it('is refused with its file and field, all that is wrong at once, and a server does not start half', async () => {
    const bad = await mkdtemp(join(tmpdir(), 'netra-bad-agents-'));
    on.onEnd(() => rm(bad, { recursive: true, force: true }));
    const file = (name: string, text: string): Promise<void> => writeFile(join(bad, name), text);
    await file('clash.ts', words.replace(`'words'`, `'triage'`));
    await file('effects.ts', words.replace(`effects: 'none'`, `effects: 'maybe' as never`));
    await file('model.ts', words.replace('*steps', 'instructions: "x", *other'));
    await file('syntax.ts', 'export default {');
    await file('nothing.ts', 'export const a = 1;');
    const refused = await start(bad).then(
      () => 'it started',
      (error: unknown) => String(error),
    );
    expect(refused).toContain('clash.ts: name: triage is a built-in agent');
    expect(refused).toContain('effects.ts: tools[0].effects');
    expect(refused).toContain('model.ts: Unrecognized key: "other"');
    expect(refused).toContain('syntax.ts: cannot be loaded');
    expect(refused).toContain('nothing.ts: must export default defineAgent');
  }, 60_000);
});
