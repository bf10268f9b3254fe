/**
 * Segment: all
 * Goal: a run that was begun is ended, whatever happens to the machine that works on it
 * Value: no human restarts anything, no step is done or paid twice
 * Strategic impact: long agents can be sold only if a crash costs seconds, not the run
 */
import { randomUUID } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually, suite } from '@netra/testkit';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import type { OpenPlatform } from '../../../server/platform/index.ts';
import {
  checkRunLog,
  giveApproval,
  openJournal,
  readEvents,
  readRun,
  requestCancel,
  tailRun,
  type Claim,
} from '../../../server/runs/index.ts';
import { createWorker } from '../../../server/work/index.ts';
import { openRunNodes, type RunNodes } from '../run-node.ts';

const own = suite();
const lease_ms = 1_000;
const settings = { NETRA_LEASE_MS: String(lease_ms), NETRA_MAX_ATTEMPTS: '2' };
const folder = mkdtempSync(join(tmpdir(), 'netra-recovery-'));
own.onEnd(() => rmSync(folder, { recursive: true, force: true }));
let nodes: RunNodes;
let node: OpenPlatform;
let org_id: string;

beforeAll(async () => {
  nodes = await openRunNodes(own, settings);
  node = await nodes.open();
});

beforeEach(async () => {
  org_id = await own.createOrg('enterprise');
});

/** One that a failed test left behind would take the next one's runs. */
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

const ctx = (): ReturnType<RunNodes['ctxOf']> => nodes.ctxOf(node, org_id);

/** Queued: this node has no worker. */
async function queueRun(): Promise<string> {
  const input = { agent: 'rehearsal', input: { steps: 1 }, idempotency_key: randomUUID() };
  return (await admitRun({ ctx: ctx(), input })).run;
}

interface Said {
  readonly type: string;
  readonly run?: string;
  readonly attempt?: number;
  readonly events?: number;
  readonly reason?: string;
}

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly said: readonly Said[];
  readonly effects: () => string[];
}

/** Starts a real worker process; killed after the test if it still lives. */
function startWorker(told: {
  steps: number;
  step_ms: number;
  manner?: 'crash' | 'stubborn' | 'block';
  at?: number;
  lease_ms?: number;
  effects?: string;
}): WorkerProcess {
  const { steps, step_ms, manner, at, effects = join(folder, randomUUID()) } = told;
  writeFileSync(effects, '', { flag: 'a' });
  const { postgres_url, clickhouse_url } = own.stores;
  const argument = JSON.stringify({ postgres_url, clickhouse_url, effects, steps, step_ms, manner, at });
  const script = fileURLToPath(new URL('../worker-process.ts', import.meta.url));
  const secret = 'only for tests: 32 bytes and then some more';
  const env = {
    ...process.env,
    ...own.env,
    ...settings,
    ...(told.lease_ms === undefined ? {} : { NETRA_LEASE_MS: String(told.lease_ms) }),
    NETRA_DATA: folder,
    NETRA_SECRET: secret,
    NETRA_LOG_LEVEL: 'error',
  };
  const child = spawn(process.execPath, [script, argument], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  const said: Said[] = [];
  // One JSON object a line, written by worker-process.ts.
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line) as Said));
  return { child, said, effects: () => readFileSync(effects, 'utf8').split('\n').filter(Boolean) };
}

const logOf = async (run: string): Promise<readonly { type: string; data: unknown }[]> =>
  (await readEvents({ ctx: ctx(), input: { run, after: 0, limit: 1_000 } })).events;

const ended = (run: string): Promise<unknown> =>
  eventually(
    'the run to end',
    async () => ['completed', 'failed', 'cancelled'].includes((await readRun({ ctx: ctx(), input: { run } })).state),
    { deadline_ms: 25_000 },
  );

const spentOf = async (run: string): Promise<unknown> =>
  nodes.owner(`select state, spent_micro::text as spent from netra.hold where run_id = $1`, [run]);

// Planted bugs: claim_runs that ignores expired leases (the runs never end); openJournal that starts from an empty log
// (steps are done again); no key on the charge (paid twice).
test('R2: runs of a worker killed with -9 go on elsewhere from their logs: no recorded step again, nothing charged twice', async () => {
  const runs = await Promise.all([queueRun(), queueRun(), queueRun()]);
  const effects = join(folder, randomUUID());
  const first = startWorker({ steps: 8, step_ms: 120, effects });
  await eventually('some steps of each run', async () => {
    const logs = await Promise.all(runs.map(logOf));
    return logs.every((log) => log.filter(({ type }) => type === 'tool_completed').length >= 2);
  });
  first.child.kill('SIGKILL');
  const recorded = await Promise.all(runs.map(logOf));
  const before = first.effects().length;

  const second = startWorker({ steps: 8, step_ms: 20, effects });
  await Promise.all(runs.map(ended));
  const lines = second.effects();
  for (const [i, run] of runs.entries()) {
    const log = await logOf(run);
    expect(log.slice(0, recorded[i]?.length)).toEqual(recorded[i]);
    expect(log.map(({ type }) => type).slice(1)).toEqual([
      ...Array.from({ length: 16 }, (_, n) => (n % 2 === 0 ? 'tool_executing' : 'tool_completed')),
      'agent_completed',
    ]);
    const done = (recorded[i] ?? []).filter(({ type }) => type === 'tool_completed').length;
    for (let step = 1; step <= 8; step += 1) {
      const times = lines.filter((line) => line === `${run} step-${step}`).length;
      // Only the step that the kill fell into may have been done twice.
      if (step === done + 1) expect([1, 2]).toContain(times);
      else expect(times).toBe(1);
    }
    expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '8000000' }]);
  }
  expect(before).toBeGreaterThan(0);
  expect(second.said.filter(({ type }) => type === 'run')).toMatchObject(runs.map(() => ({ attempt: 2 })));
  expect(await checkRunLog(node)).toEqual([]);
}, 60_000);

// Planted bugs, together, since each defence alone stops the sleeper: append_events without token and head, and a
// heartbeat that does not abort what the database no longer gives it.
test('R1: a worker that sleeps past its lease and wakes is fenced, and says so', async () => {
  const run = await queueRun();
  const sleeper = startWorker({ steps: 4, step_ms: 300 });
  await eventually('a first step', async () => (await logOf(run)).length >= 3);
  sleeper.child.kill('SIGSTOP');
  startWorker({ steps: 4, step_ms: 50 });
  await ended(run);
  const log = await logOf(run);
  sleeper.child.kill('SIGCONT');
  const stopped = await eventually('the sleeper to notice', () => sleeper.said.find(({ type }) => type === 'stopped'));
  expect(stopped).toMatchObject({ run, reason: 'fenced' });
  expect(await logOf(run)).toEqual(log);
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '4000000' }]);
}, 60_000);

// Planted bug: HeldRun without the look at max_attempts (the run kills workers for ever).
test('R2: a run that kills every worker that touches it is given up after its attempts, and its hold is settled', async () => {
  const run = await queueRun();
  // The first does a step before it dies; those after it do none.
  for (const attempt of [1, 2, 3]) {
    const victim = startWorker({ steps: 2, step_ms: 1, manner: 'crash', at: 2 });
    await eventually(`death ${attempt}`, () => victim.child.signalCode === 'SIGKILL');
  }
  const last = startWorker({ steps: 2, step_ms: 1, manner: 'crash', at: 2 });
  await ended(run);
  expect((await logOf(run)).at(-1)).toMatchObject({
    type: 'agent_failed',
    // The step that its log shows as charged stays so; of the fee nothing is taken.
    data: { code: 'crash_loop', credits: { spent_micro: '1000000', released_micro: '1000000' } },
  });
  expect(last.child.signalCode).toBeNull();
}, 60_000);

// Planted bug: HeldRun that counts all attempts of the run's life.
test('R2: a run that does a step in each of its many lives is not given up, however often its worker dies', async () => {
  const run = await queueRun();
  for (const at of [2, 3, 4, 5]) {
    const victim = startWorker({ steps: 5, step_ms: 1, manner: 'crash', at });
    await eventually(`death in step ${at}`, () => victim.child.signalCode === 'SIGKILL');
  }
  startWorker({ steps: 5, step_ms: 1 });
  await ended(run);
  expect(await readRun({ ctx: ctx(), input: { run } })).toMatchObject({ state: 'completed', attempt: 5 });
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '5000000' }]);
  expect(await checkRunLog(node)).toEqual([]);
}, 60_000);

// Whether it keeps its lease or takes its run again is a matter of which of its timers wakes first: both are right.
// Planted bugs: a node that does not renew, nor claims, what it held when it slept; append_events without its head.
test('R1 R2: a node alone that is stopped for longer than its lease, and woken, ends its run: each step once, paid once', async () => {
  const run = await queueRun();
  const alone = startWorker({ steps: 8, step_ms: 150, lease_ms: 300 });
  for (const steps of [1, 3]) {
    const done = async (): Promise<boolean> => (await logOf(run)).length > 2 * steps;
    await eventually(`step ${steps}`, done, { deadline_ms: 30_000 });
    alone.child.kill('SIGSTOP');
    await eventually('its lease to be over', async () => {
      const [row] = await nodes.owner<{ over: boolean }>(
        `select coalesce(lease_until < now() - interval '1 second', true) as over from netra.run where run_id = $1`,
        [run],
      );
      return row?.over;
    });
    alone.child.kill('SIGCONT');
  }
  await ended(run);
  expect((await logOf(run)).map(({ type }) => type)).toEqual([
    'agent_started',
    ...Array.from({ length: 16 }, (_, n) => (n % 2 === 0 ? 'tool_executing' : 'tool_completed')),
    'agent_completed',
  ]);
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '8000000' }]);
  expect(await checkRunLog(node)).toEqual([]);
}, 60_000);

// Planted bugs: a heartbeat that is sent between steps; claim_runs with `lease_until > now()`.
test('R2: a step of many lease times keeps its lease, and nobody else takes the run', async () => {
  const workers = [1, 2].map(() => startWorker({ steps: 1, step_ms: 4 * lease_ms }));
  await eventually('both to work', () => workers.every(({ said }) => said.length === 1), { deadline_ms: 30_000 });
  const run = await queueRun();
  await ended(run);
  const [rival, patient] = workers.toSorted((a, b) => a.said.length - b.said.length);
  expect(rival?.said).toEqual([{ type: 'working' }]);
  await eventually('it says so', () => patient?.said.length === 3);
  expect(patient?.said).toMatchObject([{ type: 'working' }, { type: 'run', attempt: 1 }, { type: 'completed' }]);
}, 60_000);

// Planted bugs: those of the sleeper above.
test('R1 R2: a node whose event loop stood still loses its run to another, is fenced, and charges nothing more', async () => {
  const run = await queueRun();
  const blocked = startWorker({ steps: 2, step_ms: 6 * lease_ms, manner: 'block' });
  await eventually('the step', async () => (await logOf(run)).length === 2);
  const rival = startWorker({ steps: 2, step_ms: 10 });
  await ended(run);
  const log = await logOf(run);
  await eventually('it notices', () => blocked.said.some(({ type }) => type === 'stopped'), { deadline_ms: 20_000 });
  expect(rival.said).toMatchObject([{ type: 'working' }, { type: 'run', attempt: 2 }, { type: 'completed' }]);
  expect(await logOf(run)).toEqual(log);
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '2000000' }]);
}, 60_000);

// Planted bug: a deadline that begins anew with each lease.
test('the time of a run goes on while it waits for its next worker: one that finds it over ends it', async () => {
  const run = await queueRun();
  await nodes.owner(`update netra.run set deadline_at = now() - interval '1 second', attempt = 1 where run_id = $1`, [
    run,
  ]);
  const worker = startWorker({ steps: 1, step_ms: 1 });
  await ended(run);
  expect((await logOf(run)).map(({ type }) => type)).toEqual(['agent_started', 'agent_failed']);
  expect((await logOf(run)).at(-1)).toMatchObject({ data: { code: 'deadline_exceeded' } });
  expect(worker.effects()).toEqual([]);
}, 60_000);

// Planted bug: drain that only waits; release_runs that counts the attempt.
test('a node that drains hands its runs over at once, and the attempt is not held against them', async () => {
  const run = await queueRun();
  const leaving = startWorker({ steps: 3, step_ms: 20_000 });
  await eventually('a first step', async () => (await logOf(run)).length === 2);
  leaving.child.stdin?.end();
  startWorker({ steps: 3, step_ms: 10 });
  await ended(run);
  expect(await readRun({ ctx: ctx(), input: { run } })).toMatchObject({ state: 'completed', attempt: 1 });
  expect(leaving.said.at(-1)).toMatchObject({ type: 'stopped', reason: 'draining' });
}, 60_000);

// Planted bug: heartbeat_runs that does not answer who asked to cancel.
test('a cancel request reaches the worker on another node, without a hint, and the run ends as cancelled', async () => {
  const run = await queueRun();
  startWorker({ steps: 3, step_ms: 20_000 });
  await eventually('a first step', async () => (await logOf(run)).length === 2);
  expect(await requestCancel({ ctx: ctx(), input: { run } })).toEqual({ state: 'running' });
  await ended(run);
  expect((await logOf(run)).at(-1)).toMatchObject({ type: 'agent_cancelled' });
  expect(await requestCancel({ ctx: ctx(), input: { run } })).toEqual({ state: 'cancelled' });
}, 60_000);

// Planted bug: cancel_run that only notes the wish for a run that nobody works on.
test('cancelling a queued run ends it at once and releases its hold', async () => {
  const run = await queueRun();
  expect(await requestCancel({ ctx: ctx(), input: { run } })).toEqual({ state: 'cancelled' });
  expect((await logOf(run)).map(({ type }) => type)).toEqual(['agent_started', 'agent_cancelled']);
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '0' }]);
  const tail = await tailRun({ ctx: ctx(), input: { run, after: 2 } });
  expect(await tail.next(AbortSignal.timeout(10_000))).toEqual({ kind: 'end', seq: 2 });
});

// Planted bug: HeldRun.abort without the grace timer (the run holds its place and its credits for ever).
test('a run that does not listen is ended for it some seconds after its deadline', async () => {
  const run = await queueRun();
  await nodes.owner('update netra.run set seconds_max = 1 where run_id = $1', [run]);
  startWorker({ steps: 1, step_ms: 1, manner: 'stubborn' });
  await ended(run);
  expect((await logOf(run)).at(-1)).toMatchObject({ type: 'agent_failed', data: { code: 'deadline_exceeded' } });
  expect(await spentOf(run)).toEqual([{ state: 'settled', spent: '0' }]);
}, 60_000);

// Planted bugs: park that keeps the lease; unpark without moving the deadline; approval that can be given twice.
test('a parked run holds no lease and no time, and goes on in the queue with the last answer', async () => {
  const seen: Claim[] = [];
  const worker = createWorker({
    platform: node,
    capacity: 1,
    async execute(claim) {
      seen.push(claim);
      const journal = await openJournal({ platform: node, claim });
      const answered = journal.events.some(({ type }) => type === 'approval_given');
      if (answered) {
        await journal.finish({ event: { type: 'agent_completed', data: { output: 1 } }, capture_micro: 0n, usage: [] });
      } else {
        const asked = { tool: 't', input: null, reason: 'once' };
        await journal.park([
          { type: 'approval_requested', data: { call_id: 'a', ...asked } },
          { type: 'approval_requested', data: { call_id: 'b', ...asked } },
        ]);
      }
    },
  });
  worker.start();
  try {
    const run = await queueRun();
    const answer = (call: string, approved: boolean): Promise<unknown> =>
      giveApproval({ ctx: ctx(), input: { run, call, approved } });
    await eventually('the run to park', async () => (await readRun({ ctx: ctx(), input: { run } })).state === 'parked');
    expect(await nodes.owner('select lease_token, lease_until from netra.run where run_id = $1', [run])).toEqual([
      { lease_token: null, lease_until: null },
    ]);
    await nodes.owner(`update netra.run set parked_at = parked_at - interval '1 hour' where run_id = $1`, [run]);
    await expect(answer('c', true)).rejects.toMatchObject({ code: 'conflict' });
    expect(await answer('a', true)).toEqual({ state: 'parked' });
    expect(await answer('a', true)).toEqual({ state: 'parked' });
    await expect(answer('a', false)).rejects.toMatchObject({ code: 'conflict' });
    await answer('b', false);
    await ended(run);
    const types = (await logOf(run)).map(({ type }) => type);
    expect(types.slice(1)).toEqual([
      'approval_requested',
      'approval_requested',
      'approval_given',
      'approval_given',
      'agent_completed',
    ]);
    expect(seen.at(-1)?.deadline_in_ms).toBeGreaterThan(3_600_000);
  } finally {
    await worker.stop();
  }
}, 60_000);
