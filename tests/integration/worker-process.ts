/**
 * A worker in a process of its own, to be killed. Each run has `steps` steps; a step writes a line to a file (an effect
 * that nobody can take back), charges one credit, and logs its result; one with a result in the log is not done again.
 * Says `{"type":"working"}` when it claims, and how each run went.
 */
import { appendFileSync } from 'node:fs';
import { NetraError } from '@netra/contract';
import { captureHold, extendHold } from '../../server/ledger/index.ts';
import { loadConfig, openPlatform, type Ctx, type OpenPlatform } from '../../server/platform/index.ts';
import { openJournal, RunCancelled, type Claim, type Ending, type Journal } from '../../server/runs/index.ts';
import { createWorker } from '../../server/work/index.ts';

interface Told {
  readonly postgres_url: string;
  readonly clickhouse_url: string;
  /** Where steps leave their line. */
  readonly effects: string;
  readonly steps: number;
  readonly step_ms: number;
  /**
   * crash: dies in the step `at`. stubborn: does not listen to its signal, and never ends. block: a step does not give the
   * event loop back until it is done.
   */
  readonly manner?: 'crash' | 'stubborn' | 'block';
  readonly at?: number;
}

const told = JSON.parse(process.argv[2] ?? '') as Told;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const credit = 1_000_000n;

async function work(platform: OpenPlatform, claim: Claim, signal: AbortSignal): Promise<void> {
  const journal = await openJournal({ platform, claim });
  say({ type: 'run', run: claim.run_id, attempt: claim.attempt, events: journal.events.length });
  try {
    signal.throwIfAborted();
    for (let step = 1; step <= told.steps; step += 1) await doStep(platform, claim, journal, `step-${step}`, signal);
    await journal.finish({ event: { type: 'agent_completed', data: { output: null } }, capture_micro: 0n, usage: [] });
    say({ type: 'completed', run: claim.run_id });
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    say({ type: 'stopped', run: claim.run_id, reason: reason instanceof NetraError ? reason.code : String(reason) });
    const event = endingOf(reason);
    if (event === null) throw error;
    await journal.finish({ event, capture_micro: 0n, usage: [] });
  }
}

function endingOf(reason: unknown): Ending | null {
  if (reason instanceof RunCancelled) return { type: 'agent_cancelled', data: { by: reason.by } };
  if (!(reason instanceof NetraError) || reason.code !== 'deadline_exceeded') return null;
  return { type: 'agent_failed', data: { code: reason.code, message: reason.message } };
}

async function doStep(
  platform: OpenPlatform,
  claim: Claim,
  journal: Journal,
  call_id: string,
  signal: AbortSignal,
): Promise<void> {
  if (journal.state.closedCalls.has(call_id)) return;
  const tool = 'effect';
  if (!journal.state.openCalls.has(call_id)) {
    await journal.append([{ type: 'tool_executing', data: { call_id, tool, input: null } }]);
  }
  appendFileSync(told.effects, `${claim.run_id} ${call_id}\n`);
  if (told.manner === 'crash' && call_id === `step-${told.at ?? 1}`) process.kill(process.pid, 'SIGKILL');
  if (told.manner === 'stubborn') await new Promise(() => undefined);
  if (told.manner === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, told.step_ms);
  else await pause(told.step_ms, signal);
  await charge(platform, claim, call_id);
  await journal.append([{ type: 'tool_completed', data: { call_id, tool, ok: true, duration_ms: told.step_ms } }]);
}

/** The key is the step: a second worker that charges it again moves nothing. */
async function charge(platform: OpenPlatform, claim: Claim, call_id: string): Promise<void> {
  const { org_id, user_id, role, run_id, hold_id } = claim;
  const principal = { org_id, user_id, role, kind: 'user', expires_at_ms: null } as const;
  if (hold_id === null) throw new Error('the run has not begun');
  const ctx: Ctx = { platform, principal, trace_id: run_id };
  await extendHold({ ctx, input: { hold_id, by_micro: credit, key: `${run_id}/${call_id}` } });
  await captureHold({ ctx, input: { hold_id, amount_micro: credit, reason: 'step', key: `${run_id}/${call_id}` } });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  await promise.finally(() => clearTimeout(timer));
}

const { postgres_url, clickhouse_url } = told;
const platform = await openPlatform({ config: loadConfig(), urls: { postgres_url, clickhouse_url }, role: 'app' });
const worker = createWorker({ platform, capacity: 8, execute: (claim, signal) => work(platform, claim, signal) });
worker.start();
say({ type: 'working' });
process.stdin.resume();
process.stdin.on('end', () => {
  void worker.drain(0).then(() => platform.close());
});
