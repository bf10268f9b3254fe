/**
 * Segment: teams whose agents work by the clock: a report each morning, a check each hour.
 * Goal: a schedule is made, read, changed and ended over HTTP by those who may, and each due time starts exactly one run.
 * Value: nobody has to run a cron of their own beside us, and none of its mistakes is paid for twice.
 * Strategic impact: work that comes back every day is what a subscription is bought for.
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
import { beforeAll, describe, expect, it } from 'vitest';

const on = suite();
let servers: readonly TestServer[];
let owner: TestAccount;
let stranger: TestAccount;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function call(as: string, method: string, path: string, body?: unknown, key?: string): Promise<Answer> {
  const answer = await fetch(`${servers[0]?.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${as}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      'idempotency-key': key ?? randomUUID(),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

async function join(role: 'member' | 'viewer'): Promise<{ readonly token: string; readonly user: string }> {
  const email = `${randomUUID()}@example.com`;
  const { body } = await call(owner.token, 'POST', '/v1/invitations', { email, role });
  const password = 'correct horse battery staple';
  const joined = { invitation: body['invitation'], email, password };
  const answer = await fetch(`${servers[0]?.url}/v1/auth/accept-invitation`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(joined),
  });
  return (await answer.json()) as { token: string; user: string };
}

const rows = <Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> =>
  withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);
const daily = { agent: 'rehearsal', input: null, cron: '0 9 * * 1-5', time_zone: 'Europe/Berlin' };
/** Half a day away: no time of its own comes while the test runs. */
const far = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
const make = async (as: string, body: object = {}): Promise<string> => {
  const made = await call(as, 'POST', '/v1/schedules', { ...daily, ...body });
  expect(made).toMatchObject({ status: 201, body: { state: 'active' } });
  return String(made.body['schedule']);
};
const read = async (id: string): Promise<Answer['body']> =>
  (await call(owner.token, 'GET', `/v1/schedules/${id}`)).body;
const makeDue = (id: string, ago: string) =>
  rows(`update netra.schedule set next_at = date_trunc('minute', now() - $2::interval) where schedule_id = $1`, [
    id,
    ago,
  ]);
const cameTo = (id: string, counts: { readonly started: string; readonly refused: string }) =>
  eventually(`schedule ${id} to have come to ${JSON.stringify(counts)}`, async () => {
    const body = await read(id);
    return body['started'] === counts.started && body['refused'] === counts.refused ? body : null;
  });

beforeAll(async () => {
  servers = await Promise.all([1, 2, 3].map(() => startServer({ env: on.env })));
  for (const server of servers) on.onEnd(() => server.stop());
  [owner, stranger] = await Promise.all(
    (['mid', 'free'] as const).map((plan) => createAccount({ env: on.env, plan })),
  ).then(([one, other]) => [one as TestAccount, other as TestAccount]);
}, 120_000);

describe('schedules on three servers', () => {
  it('are made once a key, listed, changed, paused and ended', async () => {
    const key = randomUUID();
    const first = await call(owner.token, 'POST', '/v1/schedules', daily, key);
    expect(first).toMatchObject({ status: 201, body: { ...daily, state: 'active', thread: null, if_busy: 'enqueue' } });
    expect((await call(owner.token, 'POST', '/v1/schedules', daily, key)).body).toEqual(first.body);
    const other = await call(owner.token, 'POST', '/v1/schedules', { ...daily, cron: '0 8 * * *' }, key);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } });
    const path = `/v1/schedules/${String(first.body['schedule'])}`;
    const paused = await call(owner.token, 'PATCH', path, { paused: true });
    expect(paused).toMatchObject({ status: 200, body: { state: 'paused', next_at: null } });
    const changed = await call(owner.token, 'PATCH', path, {
      paused: false,
      cron: '@hourly',
      max_credits_micro: '5000000',
    });
    expect(changed.body).toMatchObject({ state: 'active', cron: '@hourly', max_credits_micro: '5000000' });
    expect(Date.parse(String(changed.body['next_at']))).toBeGreaterThan(Date.now());
    expect(await call(owner.token, 'PATCH', path, { cron: '61 * * * *' })).toMatchObject({ status: 400 });
    expect((await call(owner.token, 'GET', '/v1/schedules')).body['items']).toHaveLength(1);
    expect(await call(owner.token, 'DELETE', path)).toMatchObject({ status: 200 });
    expect(await call(owner.token, 'GET', path)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  // Planted bug that turns it red: a random key in start() of run-due-schedules.ts, with taken_ms 0.
  it('start exactly one run for a due time; after a pause of the installation the latest time alone counts', async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, (_, place) =>
        make(owner.token, { cron: far, time_zone: 'UTC', input: { steps: 1 + place } }),
      ),
    );
    await Promise.all(ids.map((id) => makeDue(id, '3 days')));
    for (const id of ids) {
      const came = await cameTo(id, { started: '1', refused: '0' });
      expect(Date.now() - Date.parse(String(came['last_due_at']))).toBeLessThan(24 * 3600_000);
      const [run] = await rows<{ user_id: string }>(`select user_id from netra.run where run_id = $1`, [
        came['last_run'],
      ]);
      expect(run).toEqual({ user_id: owner.user });
    }
    const [count] = await rows<{ runs: number }>(
      `select count(*)::int as runs from netra.run where idempotency_key like 'schedule/%' and org_id = $1`,
      [owner.org],
    );
    expect(count).toEqual({ runs: 5 });
  });

  // Planted bug that turns it red: runOne() that notes no refusal.
  it('write a refusal down and go on; the next due time starts a run again', async () => {
    const id = await make(stranger.token, { cron: far, time_zone: 'UTC' });
    // Not over HTTP: the plan's requests an hour are few.
    const its = async () =>
      (
        await rows<Readonly<Record<string, unknown>>>(
          `select state, started::int, refused::int, last_run_id, last_refusal from netra.schedule where schedule_id = $1`,
          [id],
        )
      )[0];
    const busy = await call(stranger.token, 'POST', '/v1/threads', {});
    const started = await call(stranger.token, 'POST', `/v1/threads/${String(busy.body['thread'])}/runs`, {
      agent: 'rehearsal',
      input: { steps: 2, step_ms: 60_000 },
    });
    await makeDue(id, '2 minutes');
    const refused = await eventually('the refusal', async () => {
      const row = await its();
      return row?.['refused'] === 1 ? row : null;
    });
    expect(refused).toMatchObject({ state: 'active', last_run_id: null, last_refusal: { code: 'concurrent_runs' } });
    await call(stranger.token, 'POST', `/v1/runs/${String(started.body['run'])}/cancel`);
    await eventually('the place to be free', async () => {
      const [row] = await rows<{ state: string }>('select state from netra.run where run_id = $1', [
        started.body['run'],
      ]);
      return row?.state === 'cancelled' ? row : null;
    });
    await makeDue(id, '2 minutes');
    const next = await eventually('the next run', async () => {
      const row = await its();
      return row?.['started'] === 1 ? row : null;
    });
    expect(next).toMatchObject({ state: 'active', last_refusal: null });
  });

  it('are their user’s: others read them, owners pause and end them, and they stop when the user leaves', async () => {
    const [member, viewer] = [await join('member'), await join('viewer')];
    const id = await make(member.token);
    const path = `/v1/schedules/${id}`;
    expect(await call(viewer.token, 'POST', '/v1/schedules', daily)).toMatchObject({ status: 403 });
    expect(await call(viewer.token, 'GET', path)).toMatchObject({ status: 200, body: { user: member.user } });
    expect(await call(viewer.token, 'PATCH', path, { paused: true })).toMatchObject({ status: 403 });
    expect(await call(owner.token, 'PATCH', path, { input: { steps: 3 } })).toMatchObject({ status: 403 });
    expect(await call(owner.token, 'PATCH', path, { paused: true })).toMatchObject({ status: 200 });
    expect(await call(owner.token, 'PATCH', path, { paused: false })).toMatchObject({ status: 200 });
    expect(await call(stranger.token, 'GET', path)).toMatchObject({ status: 404 });
    expect(await call(stranger.token, 'DELETE', path)).toMatchObject({ status: 404 });
    expect(await call(owner.token, 'DELETE', `/v1/members/${member.user}`)).toMatchObject({ status: 200 });
    await makeDue(id, '5 minutes');
    const stopped = await cameTo(id, { started: '0', refused: '1' });
    expect(stopped).toMatchObject({ state: 'stopped', next_at: null, last_refusal: { code: 'forbidden' } });
    expect(await call(owner.token, 'PATCH', path, { paused: false })).toMatchObject({ status: 409 });
  });

  it('have their bound by plan, and what is no timetable, agent or thread is refused', async () => {
    const refusals = [
      [{ cron: '* * * * * *' }, 400, 'invalid_request'],
      [{ time_zone: 'Mars/Base' }, 400, 'invalid_request'],
      [{ thread: randomUUID() }, 404, 'not_found'],
      [{ agent: 'research' }, 403, 'agent_not_in_plan'],
      [{ input: { steps: 0 } }, 400, 'invalid_request'],
    ] as const;
    for (const [body, status, code] of refusals) {
      const answer = await call(stranger.token, 'POST', '/v1/schedules', { ...daily, ...body });
      expect(answer).toMatchObject({ status, body: { code } });
    }
    for (let made = 1; made < 10; made += 1) await make(stranger.token);
    expect(await call(stranger.token, 'POST', '/v1/schedules', daily)).toMatchObject({
      status: 403,
      body: { code: 'plan_limit', limit: 'schedules', used: '10', max: '10', plan_that_lifts_it: 'early' },
    });
  });
});
