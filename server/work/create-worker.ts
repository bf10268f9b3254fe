import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { nodeOf, RunCancelled, type Claim, type LocalWorker, type Seat } from '../runs/index.ts';
import { claimQueue, type ClaimQueue } from './claim-queue.ts';
import { HeldRun } from './held-run.ts';
import { keepHeartbeat } from './heartbeat.ts';
import { countWork, type WorkCounts } from './work-counts.ts';

export interface WorkerOptions {
  readonly platform: Platform;
  /** Runs at once on this node; 0 = it serves, and leaves the work to others. */
  readonly capacity: number;
  /**
   * Works on a run until it has ended, is parked, or `signal` aborts. The reason is a RunCancelled, or a NetraError
   * `deadline_exceeded` (end the run), `draining` or `fenced` (leave it). Once `leaving` aborts it may throw its reason
   * wherever that breaks nothing off. Throwing gives the run back to the queue.
   */
  readonly execute: (claim: Claim, signal: AbortSignal, leaving: AbortSignal) => Promise<void>;
}

/**
 * One node's share of the work. Invariants: W1 a run is executed only under a lease of this node; W2 every lease held
 * is renewed by one statement that no tool can hold up; W3 what is lost is aborted, what is left over is given back.
 */
export interface Worker extends LocalWorker {
  /** Begins to claim, and lets admission seat runs here. */
  start(): void;
  /** Takes a claimed run, if there is room. */
  offer(claim: Claim): boolean;
  /**
   * Takes nothing more, and hands its runs back to the queue: each at its next step, whatever is in the middle of one
   * after `wait_ms`.
   */
  drain(wait_ms: number): Promise<void>;
  /** drain without waiting. */
  stop(): Promise<void>;
  /** Runs executing now. */
  readonly held: number;
}

/** A run that ignores the hand-over this long is released all the same: the fence keeps it from writing. */
const handOver_ms = 2_000;

export function createWorker(options: WorkerOptions): Worker {
  return new RunWorker(options);
}

class RunWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #counts: WorkCounts;
  readonly #runs = new Map<string, HeldRun>();
  /** Of these, the ones that others wait behind. */
  readonly #followed = new Set<string>();
  #reserved = 0;
  #open = false;
  #queue: ClaimQueue | null = null;
  #stopHeartbeat: () => void = () => undefined;
  #empty: (() => void) | null = null;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#counts = countWork(options.platform.metrics, () => this.#runs.size);
  }

  get held(): number {
    return this.#runs.size;
  }

  get #room(): number {
    return this.#open ? this.#options.capacity - this.#runs.size - this.#reserved : 0;
  }

  start(): void {
    if (this.#open) return;
    const { platform } = this.#options;
    this.#open = true;
    nodeOf(platform).worker = this;
    this.#stopHeartbeat = keepHeartbeat({ platform, runs: this.#runs });
    this.#queue = claimQueue({
      platform,
      held: () => [...this.#runs.values()].filter((run) => !run.told).map(({ claim }) => claim.run_id),
      room: () => this.#room,
      take: (claim) => this.#begin(claim),
    });
  }

  reserve(): Seat | null {
    // A free place belongs to who stands in line, or one organisation's admissions would overtake another's queue.
    return this.#queue?.backlog === true ? null : this.#seat();
  }

  #seat(): Seat | null {
    if (this.#room <= 0) return null;
    this.#reserved += 1;
    const leave = (): void => {
      this.#reserved -= 1;
    };
    return {
      leave,
      take: (claim) => {
        leave();
        this.#begin(claim);
      },
    };
  }

  offer(claim: Claim): boolean {
    const seat = this.#seat();
    seat?.take(claim);
    return seat !== null;
  }

  cancelRequested(run_id: string, by: string): void {
    this.#runs.get(run_id)?.abort(new RunCancelled(by));
  }

  queued(): void {
    this.#queue?.wake();
  }

  followed(run_id: string): void {
    if (this.#runs.has(run_id)) this.#followed.add(run_id);
  }

  async drain(wait_ms: number): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    const node = nodeOf(this.#options.platform);
    if (node.worker === this) node.worker = null;
    for (const run of this.#runs.values()) run.leave();
    await this.#queue?.stop();
    await this.#whenEmpty(wait_ms);
    for (const run of this.#runs.values()) run.abort(new NetraError('draining', 'This node is going away'));
    await this.#whenEmpty(handOver_ms);
    await Promise.all([...this.#runs.values()].map((run) => run.giveBack({ given_back: true })));
    this.#stopHeartbeat();
  }

  stop(): Promise<void> {
    return this.drain(0);
  }

  #begin(claim: Claim): void {
    const { platform, execute } = this.#options;
    this.#counts.claimed(claim);
    const run = new HeldRun({ platform, claim, execute, counts: this.#counts });
    // The same run can come back while its lost predecessor still unwinds here; the newer one is ours.
    this.#runs.set(claim.run_id, run);
    // Seated before the drain began, or claimed by the last look.
    if (!this.#open) run.leave();
    void run.done.then(() => {
      if (this.#runs.get(claim.run_id) === run) this.#runs.delete(claim.run_id);
      if (this.#runs.size === 0) this.#empty?.();
      // What waited may have others behind it, which nobody here has heard of.
      if (this.#followed.delete(claim.run_id) || claim.hold_id === null) this.#queue?.wake();
      else this.#queue?.roomMade();
    });
  }

  async #whenEmpty(wait_ms: number): Promise<void> {
    if (this.#runs.size === 0 || wait_ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#empty = resolve;
    const timer = setTimeout(resolve, wait_ms);
    await promise;
    clearTimeout(timer);
  }
}
