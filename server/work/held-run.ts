import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { finishRun, nodeOf, RunCancelled, type Claim, type Ending, type Journal } from '../runs/index.ts';
import { releaseRuns } from './sql/lease.ts';
import type { WorkCounts } from './work-counts.ts';

export interface HeldRunOptions {
  readonly platform: Platform;
  readonly claim: Claim;
  readonly execute: (claim: Claim, signal: AbortSignal, leaving: AbortSignal) => Promise<void>;
  readonly counts: WorkCounts;
}

/** A run that was told to end (cancelled, out of time) and has not by then is ended for it. */
const grace_ms = 5_000;
/** A failed run waits before its next attempt: 250 ms, doubled each time, at most this. */
const maxBackoff_ms = 30_000;
/** setTimeout fires at once for longer times than this. */
const maxTimer_ms = 2 ** 31 - 1;

/** One lease of this node, from the claim until the run has ended, is parked, lost or given back. Never rejects. */
export class HeldRun {
  readonly claim: Claim;
  /** Resolves when this node has nothing more to do with the run. */
  readonly done: Promise<void>;
  readonly #options: HeldRunOptions;
  readonly #stop = new AbortController();
  readonly #leaving = new AbortController();
  /** Resolves when the run was ended over the head of its executor, which may never return. */
  readonly #ended = Promise.withResolvers<void>();
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(options: HeldRunOptions) {
    this.#options = options;
    this.claim = options.claim;
    const { deadline_in_ms, cancel_requested_by } = options.claim;
    if (cancel_requested_by !== null) this.abort(new RunCancelled(cancel_requested_by));
    // Over already: told before it begins, a timer would let it do a step first.
    if (deadline_in_ms !== null && deadline_in_ms <= 0) this.abort(outOfTime());
    else if (deadline_in_ms !== null) this.#after(deadline_in_ms, () => this.abort(outOfTime()));
    this.done = this.#work();
  }

  /** True while the log may still be written under this lease. */
  get writable(): boolean {
    const standing = this.#journal?.standing ?? 'open';
    return standing === 'open';
  }

  /** True once it was told to stop, for whatever reason. */
  get told(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Asks the run to leave between two steps: nothing that has begun is broken off, or paid twice. */
  leave(): void {
    this.#leaving.abort(new NetraError('draining', 'This node is going away'));
  }

  /** Tells the run to stop; the first reason counts. */
  abort(reason: RunCancelled | NetraError): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(reason);
    const ending = endingOf(reason);
    if (ending) this.#after(grace_ms, () => void this.#endForIt(ending));
  }

  /** Puts the run back into the queue, if it is still ours. `given_back`: the attempt does not count. */
  async giveBack({ given_back }: { readonly given_back: boolean }): Promise<void> {
    const { platform, claim } = this.#options;
    const backoff_ms = Math.min(maxBackoff_ms, 125 * 2 ** Math.min(claim.attempt, 10));
    const wait_ms = given_back ? 0 : Math.round(backoff_ms * (0.5 + platform.random() / 2));
    const { feed, hint } = nodeOf(platform);
    feed.drop(claim.run_id);
    try {
      await platform.postgres.call(releaseRuns([claim], { given_back, wait_ms }));
      hint({ kind: 'queued' });
    } catch (error) {
      // The lease runs out by itself.
      platform.log.warn({ run_id: claim.run_id, err: error }, 'lease not released');
    }
  }

  get #journal(): Journal | undefined {
    return nodeOf(this.#options.platform).journals.get(this.claim.lease_token);
  }

  async #work(): Promise<void> {
    const { platform, claim, execute } = this.#options;
    let failure: unknown = null;
    try {
      if (claim.fruitless > platform.config.max_attempts) await this.#endCrashLoop();
      else await Promise.race([execute(claim, this.#stop.signal, this.#leaving.signal), this.#ended.promise]);
    } catch (error) {
      failure = error;
    }
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#conclude(failure);
  }

  /** W3: a run that is neither ended, parked nor lost goes back to the queue. */
  async #conclude(failure: unknown): Promise<void> {
    const { platform, claim, counts } = this.#options;
    const { feed, journals } = nodeOf(platform);
    const standing = this.#journal?.standing ?? 'open';
    journals.delete(claim.lease_token);
    if (standing === 'ended' || standing === 'parked') return;
    feed.drop(claim.run_id);
    if (failure instanceof NetraError && failure.code === 'fenced') {
      counts.lost();
      platform.log.warn({ run_id: claim.run_id, attempt: claim.attempt }, 'run lost to another worker');
      return;
    }
    if (claim.fruitless > platform.config.max_attempts && failure === null) return;
    const given_back = isDraining(this.#stop.signal.reason) || isDraining(failure);
    if (!given_back) {
      counts.failed();
      platform.log.error({ run_id: claim.run_id, attempt: claim.attempt, err: failure }, 'run given back');
    }
    await this.giveBack({ given_back });
  }

  async #endCrashLoop(): Promise<void> {
    const { platform, claim, counts } = this.#options;
    counts.poisoned();
    platform.log.error({ run_id: claim.run_id, attempt: claim.attempt }, 'run crashed its worker too often');
    const message = `The run was given up after ${claim.fruitless - 1} attempts in a row in which no step was done.`;
    const event = { type: 'agent_failed', data: { code: 'crash_loop', message } } as const;
    // Not through a journal: reading this log may be what crashes.
    await finishRun({
      platform,
      claim,
      input: { head: claim.last_seq, events: [], event, capture_micro: 0n, usage: [] },
    });
    nodeOf(platform).feed.drop(claim.run_id);
  }

  /** The run was told to end and hangs in something that does not listen: what its log shows as charged stays so. */
  async #endForIt(event: Ending): Promise<void> {
    const { platform, claim } = this.#options;
    const journal = this.#journal;
    if (journal?.standing !== 'open') return;
    platform.log.warn({ run_id: claim.run_id, event: event.type }, 'run did not stop in time, ended for it');
    await journal.finish({ event, capture_micro: 0n, usage: [] }).catch((error: unknown) => {
      platform.log.error({ run_id: claim.run_id, err: error }, 'run could not be ended');
    });
    this.#ended.resolve();
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(work, Math.min(Math.max(ms, 0), maxTimer_ms));
    timer.unref();
    this.#timers.push(timer);
  }
}

function isDraining(reason: unknown): boolean {
  return reason instanceof NetraError && reason.code === 'draining';
}

function outOfTime(): NetraError {
  return new NetraError('deadline_exceeded', 'The run took longer than the plan allows and was stopped.');
}

function endingOf(reason: RunCancelled | NetraError): Ending | null {
  if (reason instanceof RunCancelled) return { type: 'agent_cancelled', data: { by: reason.by } };
  if (reason.code !== 'deadline_exceeded') return null;
  return { type: 'agent_failed', data: { code: reason.code, message: reason.message } };
}
