/**
 * Segment: teams whose front end speaks AG-UI.
 * Goal: `@ag-ui/client` 1.0 runs our agents unchanged: text, tools, results, questions to a person, ends of each kind.
 * Value: any AG-UI front end gets durable, billed agents by a change of its URL.
 * Strategic impact: an open protocol is a door for users whom no SDK of ours would reach.
 */
import { HttpAgent, type BaseEvent } from '@ag-ui/client';
import { createAccount, startServer, suite, withOwner, type TestAccount, type TestServer } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { cutLatestRun } from './cut-latest-run.ts';

const home = suite();
let server: TestServer;
let account: TestAccount;
beforeAll(async () => {
  account = await createAccount({ env: home.env, plan: 'enterprise' });
  server = await startServer({ env: home.env });
  home.onEnd(() => server.stop());
});

function agentFor(agent: string, threadId: string, at = server): HttpAgent {
  const headers = { authorization: `Bearer ${account.token}` };
  return new HttpAgent({ url: `${at.url}/compat/ag-ui/${agent}`, headers, threadId });
}

/** Runs the agent and keeps what the client let through: it checks every event against the protocol. */
async function play(agent: HttpAgent, input: object, runId: string): Promise<{ events: BaseEvent[]; error?: unknown }> {
  const events: BaseEvent[] = [];
  agent.addMessage({ id: `${runId}-question`, role: 'user', content: 'go' });
  try {
    const forwardedProps = { input };
    await agent.runAgent({ runId, forwardedProps }, { onEvent: ({ event }) => void events.push(event) });
    return { events };
  } catch (error) {
    return { events, error };
  }
}

const types = (events: readonly BaseEvent[]): readonly string[] => events.map(({ type }) => type);

describe('AG-UI 1.0', () => {
  // Planted bug that turns it red: a message that is not ended before a tool call (the client's verifier throws).
  it('runs an agent to its end: text, reasoning, tool calls with their results, and what it was charged', async () => {
    const agent = agentFor('rehearsal', 'thread-1');
    const { events, error } = await play(agent, { steps: 3, deltas: 2, tool: 'hash' }, 'run-1');
    expect(error).toBeUndefined();
    expect(types(events).at(0)).toBe('RUN_STARTED');
    expect(types(events).filter((type) => type === 'TOOL_CALL_RESULT')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({
      type: 'RUN_FINISHED',
      threadId: 'thread-1',
      runId: 'run-1',
      outcome: { type: 'success' },
      result: { credits: { spent_micro: '1000000' } },
    });
    const answer = agent.messages.findLast(({ role }) => role === 'assistant');
    expect(answer?.content).toMatch(/^3/);
    expect(agent.messages.filter(({ role }) => role === 'tool')).toHaveLength(2);
  });

  // Planted bug that turns it red: a random key instead of thread and run.
  it('answers the same run of the same thread again with the same run: a retry starts nothing', async () => {
    const first = await play(agentFor('rehearsal', 'thread-2'), { steps: 2 }, 'run-1');
    const again = await play(agentFor('rehearsal', 'thread-2'), { steps: 2 }, 'run-1');
    expect(again.events).toEqual(first.events);
    const credits = await fetch(`${server.url}/v1/credits/transfers?limit=200`, {
      headers: { authorization: `Bearer ${account.token}` },
    });
    const { items } = (await credits.json()) as { items: { kind: string; run: string | null }[] };
    const runs = items.filter(({ kind }) => kind === 'settle').map(({ run }) => run);
    expect(new Set(runs).size).toBe(runs.length);
    expect(runs).toHaveLength(2);
  });

  // Planted bug that turns it red: the names spread from the request, which sends the whole of it back.
  it('sends nothing that the protocol does not name: the client would take it out', async () => {
    const body = {
      threadId: 'thread-5',
      runId: 'run-1',
      messages: [{ role: 'user', content: 'go' }],
      state: { mine: 1 },
    };
    const response = await fetch(`${server.url}/compat/ag-ui/rehearsal`, {
      method: 'POST',
      headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, forwardedProps: { input: { steps: 1 } } }),
    });
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
    const events = lines.map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
    const names = { threadId: 'thread-5', runId: 'run-1' };
    expect(events.at(0)).toEqual({ type: 'RUN_STARTED', ...names });
    expect(Object.keys(events.at(-1) ?? {}).toSorted()).toEqual(['outcome', 'result', 'runId', 'threadId', 'type']);
  });

  // Planted bug that turns it red: openRun() that does not look at what was cut.
  it('says that a run is no longer kept where retention cut it, rather than telling its rest as the whole', async () => {
    await play(agentFor('rehearsal', 'thread-cut'), { steps: 3, tool: 'hash' }, 'run-1');
    await withOwner(home.stores.postgres_url, (client) => cutLatestRun(client, account.org));
    // Another node: this one may have the run in memory still.
    const another = await startServer({ env: home.env });
    home.onEnd(() => another.stop());
    const { events, error } = await play(
      agentFor('rehearsal', 'thread-cut', another),
      { steps: 3, tool: 'hash' },
      'run-1',
    );
    expect(events).toEqual([]);
    expect(String(error)).toMatch(/404.*no longer kept/);
  });

  it('tells a refusal, and a run that has nothing to resume, as errors that name the reason', async () => {
    const refused = await play(agentFor('nobody', 'thread-3'), {}, 'run-1');
    expect(String(refused.error)).toMatch(/403/);
    const agent = agentFor('rehearsal', 'thread-4');
    const resume = [{ interruptId: 'call-1', status: 'resolved', payload: true }] as const;
    await expect(agent.runAgent({ runId: 'run-1', resume: [...resume] })).rejects.toThrow(/404/);
  });
});
