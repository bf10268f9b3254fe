/**
 * Segment: developers who build on us, and everybody who meets a limit.
 * Goal: a limit is the same limit on every wire: the same code, what is used, what there is, and which plan lifts it.
 * Value: an application can say what to do next in its user's words, and knows whether to wait (429), to pay (402) or
 * to change the plan (403).
 * Strategic impact: a refusal that says how to go on is where customers upgrade.
 *
 * Planted bugs that turn this red: a socket that runs without counting the request; 429 in the place of 402 in the
 * catalogue; a limit's branch of netra.check_limits() taken out; a refusal whose detail is dropped at the socket.
 */
import { randomUUID } from 'node:crypto';
import { createClient } from '@netra/client';
import { errorCatalogue, isErrorCode, NetraError } from '@netra/contract';
import {
  connectSocket,
  createAccount,
  eventually,
  startServer,
  suite,
  withOwner,
  type PlanName,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: on.env });
  on.onEnd(() => server.stop());
}, 120_000);

interface Ask {
  readonly agent: string;
  readonly input?: unknown;
  readonly max_credits_micro?: string;
}

/** What each wire says of a refusal, in one shape. `status` is the catalogue's where the wire has none of its own. */
interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly limit: unknown;
  readonly used: unknown;
  readonly max: unknown;
  readonly plan_that_lifts_it: unknown;
}

function refusal(status: number, code: unknown, facts: Readonly<Record<string, unknown>>): Refusal {
  const { limit, used, max, plan_that_lifts_it } = facts;
  return { status, code: String(code), limit, used, max, plan_that_lifts_it };
}

async function send(
  { token }: TestAccount,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Record<string, unknown> }> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
}

async function overRest(account: TestAccount, thread: string, ask: Ask): Promise<Refusal> {
  const { status, headers, body } = await send(account, 'POST', `/v1/threads/${thread}/runs`, { input: null, ...ask });
  // RFC 9110 §10.2.3: who may wait is told how long; who has to pay or upgrade is not.
  expect(headers.has('retry-after')).toBe(status === 429);
  expect(body['status']).toBe(status);
  return refusal(status, body['code'], body);
}

async function overSocket(account: TestAccount, ask: Ask): Promise<Refusal> {
  const socket = await connectSocket({ ws: server.ws, token: account.token });
  socket.send({ type: 'run', id: 1, input: null, idempotency_key: randomUUID(), ...ask });
  const frame = await socket.waitFor('an answer', (each) => 'id' in each && each.id === 1);
  await socket.close();
  if (frame.type !== 'error' || !isErrorCode(frame.code)) throw new Error(`not refused: ${frame.type}`);
  return refusal(errorCatalogue[frame.code].status, frame.code, frame.limit as Record<string, unknown>);
}

async function overClient({ token }: TestAccount, ask: Ask): Promise<Refusal> {
  const client = createClient({ url: server.url, token });
  try {
    await client.run({ input: null, ...ask });
  } catch (error) {
    if (error instanceof NetraError) return refusal(error.status, error.code, error.detail);
    throw error;
  } finally {
    client.close();
  }
  throw new Error('not refused');
}

async function overOpenAi(account: TestAccount, { agent, input, ...ask }: Ask): Promise<Refusal> {
  const { status, body } = await send(account, 'POST', '/compat/openai/v1/chat/completions', {
    model: agent,
    messages: [{ role: 'user', content: 'go' }],
    netra_input: input ?? null,
    ...(ask.max_credits_micro === undefined ? {} : { netra_max_credits_micro: ask.max_credits_micro }),
  });
  const { code } = body['error'] as { code: unknown };
  return refusal(status, code, body);
}

const owner = <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);

async function expectRefused(account: TestAccount, ask: Ask, expected: Refusal): Promise<void> {
  // The thread exists: nothing but the limit refuses.
  const [thread] = await owner<{ thread_id: string }>(
    `insert into netra.thread (org_id, thread_id, user_id) values ($1, gen_random_uuid(), $2) returning thread_id`,
    [account.org, account.user],
  );
  const count = 'select count(*)::int as runs from netra.run where org_id = $1';
  const before = await owner(count, [account.org]);
  expect(await overRest(account, thread?.thread_id ?? '', ask), 'REST').toEqual(expected);
  expect(await overSocket(account, ask), 'socket').toEqual(expected);
  expect(await overClient(account, ask), 'client').toEqual(expected);
  expect(await overOpenAi(account, ask), 'OpenAI').toEqual(expected);
  expect(await owner(count, [account.org])).toEqual(before);
}

const onPlan = (plan: PlanName): Promise<TestAccount> => createAccount({ env: on.env, plan });
const caps = { overage_micro: null, total_micro: null, member_micro: null };
const slow = { steps: 40, step_ms: 500 };

const secondsOfFree = (seconds_run: number): Promise<object[]> =>
  owner(
    `insert into netra.plan
     select (jsonb_populate_record(p, jsonb_build_object('valid_from', clock_timestamp(), 'seconds_run', $1::int))).*
       from netra.plan p where p.plan_id = 'free' order by p.valid_from desc limit 1`,
    [seconds_run],
  );

/** Runs a rehearsal to its end. */
async function rehearse({ token }: TestAccount, input: object = { steps: 1, deltas: 0 }) {
  const client = createClient({ url: server.url, token });
  try {
    return await (await client.run({ agent: 'rehearsal', input })).finished();
  } finally {
    client.close();
  }
}

describe('a limit of the plan', () => {
  it('credits-3 refuses an agent that the plan lacks with 403 on each wire', async () => {
    await expectRefused(
      await onPlan('free'),
      { agent: 'optimization' },
      {
        status: 403,
        code: 'agent_not_in_plan',
        limit: 'agents',
        used: 'optimization',
        max: 'triage, rehearsal',
        plan_that_lifts_it: 'mid',
      },
    );
  });

  it('credits-3 refuses the run after the last of the month with 403 on each wire', async () => {
    const account = await onPlan('free');
    for (let run = 0; run < 10; run += 1) await rehearse(account);
    await expectRefused(
      account,
      { agent: 'rehearsal' },
      {
        status: 403,
        code: 'plan_limit',
        limit: 'runs_month',
        used: '10',
        max: '10',
        plan_that_lifts_it: 'early',
      },
    );
  });

  it('credits-3 refuses one run too many at once with 429 on each wire: it may be asked again', async () => {
    const account = await onPlan('free');
    const client = createClient({ url: server.url, token: account.token });
    const handle = await client.run({ agent: 'rehearsal', input: slow });
    await expectRefused(
      account,
      { agent: 'rehearsal' },
      {
        status: 429,
        code: 'concurrent_runs',
        limit: 'concurrent_runs',
        used: '1',
        max: '1',
        plan_that_lifts_it: 'early',
      },
    );
    await handle.cancel();
    expect(await handle.finished()).toMatchObject({ type: 'agent_cancelled' });
    client.close();
    expect(await rehearse(account)).toMatchObject({ type: 'agent_completed' });
  });

  it('credits-3 refuses the request after the last of the hour with 429 on each wire', async () => {
    const account = await onPlan('free');
    // Hours are those of the clock.
    const midHour = (): boolean => Date.now() % 3_600_000 < 3_580_000;
    await eventually('an hour that is not about to end', midHour, { deadline_ms: 21_000 });
    for (let request = 0; request < 100; request += 1) await send(account, 'GET', '/v1/me');
    await expectRefused(
      account,
      { agent: 'rehearsal' },
      {
        status: 429,
        code: 'rate_limited',
        limit: 'requests_hour',
        used: '100',
        max: '100',
        plan_that_lifts_it: 'early',
      },
    );
  });

  it('credits-3 refuses a feature that the plan lacks with 403', async () => {
    const { status, body } = await send(await onPlan('free'), 'GET', '/v1/statement/export?format=csv');
    expect(refusal(status, body['code'], body)).toEqual({
      status: 403,
      code: 'plan_limit',
      limit: 'features',
      used: 'ledger_export',
      max: 'usage_import',
      plan_that_lifts_it: 'early',
    });
  });

  it('credits-3 ends a run at its seconds, and names them in its last event on each wire', async () => {
    await secondsOfFree(1);
    const account = await onPlan('free');
    // Who subscribed keeps the plan as it was then; the others of this file are to have its usual seconds.
    await secondsOfFree(30);
    const end = await rehearse(account, slow);
    const limit = { limit: 'seconds_run', used: '1', max: '1', plan_that_lifts_it: 'free' };
    expect(end).toMatchObject({ type: 'agent_failed', data: { code: 'deadline_exceeded', limit } });
    const answer = await fetch(`${server.url}/v1/runs/${end.run}/events`, {
      headers: { authorization: `Bearer ${account.token}` },
    });
    const events = (await answer.text()).split('\n').filter((line) => line.startsWith('data: {"type":"agent_failed"'));
    expect(JSON.parse(events[0]?.slice(6) ?? '')).toEqual(end);
  });
});

describe('what may be spent', () => {
  it('credits-3 refuses a run that the credits cannot pay with 402 on each wire', async () => {
    const account = await onPlan('free');
    await owner(`select netra.place_hold($1, gen_random_uuid(), 95000000, 'other', null, null, 'other')`, [
      account.org,
    ]);
    await expectRefused(
      account,
      { agent: 'triage' },
      {
        status: 402,
        code: 'insufficient_credits',
        limit: 'credits',
        used: '10000000',
        max: '5000000',
        plan_that_lifts_it: 'early',
      },
    );
  });

  it('credits-3 refuses a run that a cap of the owner stops with 402 on each wire, and names no plan', async () => {
    const account = await onPlan('mid');
    const expected = { status: 402, code: 'spending_cap', used: '0', max: '9999999', plan_that_lifts_it: null };
    for (const [cap, limit] of [
      ['total_micro', 'spending_total'],
      ['member_micro', 'spending_member'],
    ] as const) {
      await send(account, 'PUT', '/v1/spending/caps', { ...caps, [cap]: '9999999' });
      await expectRefused(account, { agent: 'triage' }, { ...expected, limit });
    }
  });

  it('credits-3 refuses a run whose own cap is below its fee with 402 on each wire', async () => {
    const ask = { agent: 'triage', max_credits_micro: '9999999' };
    await expectRefused(await onPlan('free'), ask, {
      status: 402,
      code: 'budget_reached',
      limit: 'max_credits',
      used: '10000000',
      max: '9999999',
      plan_that_lifts_it: null,
    });
  });
});
