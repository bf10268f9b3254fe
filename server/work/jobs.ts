import { Cron } from 'croner';
import { Counter, Gauge } from 'prom-client';
import { startPoll, type Metrics, type Platform } from '../platform/index.ts';
import { claimJobs, endJob, hurryJob, insertJobs, renewJob, type JobClaim } from './sql/jobs.ts';

/** Work that is due by the clock, on one node of all. */
export interface Schedule {
  readonly name: string;
  /** As in crontab, UTC: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** Safe to repeat, and beside itself: it may run again after a crash, or after a node that stood still. */
  readonly run: () => Promise<unknown>;
}

export interface Jobs {
  /** Makes a schedule due now. One that runs already, or failed and waits to be tried again, is left as it is. */
  kick(name: string): Promise<void>;
  /** Resolves when no job runs here any more. */
  stop(): Promise<void>;
}

/** How late a due time may be noticed. One look at a table of a dozen rows. */
const poll_ms = 1_000;
/** The pause after a failure doubles from here; the schedule's next time may come sooner. */
const firstRetry_ms = 2_000;
const lastRetry_ms = 300_000;
const maxErrorLength = 500;

/**
 * Runs the schedules: each due time once among all nodes, under a lease as runs are, of the same length: what a node that
 * died was at is done by another one soon. A schedule that is new is due at once,
 * and due times that were missed while no node ran count as one. Jobs run side by side, each of them once at a time.
 */
export async function startJobs({
  platform,
  schedules,
}: {
  readonly platform: Platform;
  readonly schedules: readonly Schedule[];
}): Promise<Jobs> {
  const { postgres, log, random, config, node_id } = platform;
  const known = new Map(schedules.map((schedule) => [schedule.name, schedule]));
  const names = [...known.keys()];
  await postgres.call(insertJobs(names));

  const counts = countJobs(platform.metrics);
  const running = new Set<Promise<void>>();
  const look = async (): Promise<void> => {
    for (const claim of await postgres.call<JobClaim>(claimJobs(names, node_id, config.lease_ms))) {
      const schedule = known.get(claim.name);
      if (schedule === undefined) throw new Error(`claimed an unknown job: ${claim.name}`);
      const job = runJob({ platform, schedule, claim, counts }).finally(() => running.delete(job));
      running.add(job);
    }
  };
  const poll = startPoll({ pause_ms: poll_ms, look, failed: 'jobs not looked for', log, random });
  return {
    async kick(name) {
      if ((await postgres.call(hurryJob(name))).length > 0) poll.wake();
    },
    async stop() {
      await poll.stop();
      await Promise.all(running);
    },
  };
}

/** Does one due time's work and says when the next one is. Never throws: what failed is logged, and tried again. */
async function runJob(options: {
  readonly platform: Platform;
  readonly schedule: Schedule;
  readonly claim: JobClaim;
  readonly counts: JobCounts;
}): Promise<void> {
  const { platform, schedule, claim, counts } = options;
  const { postgres, log } = platform;
  const began_ms = performance.now();
  const stopRenewing = keepLease(platform, claim);
  let error: string | null = null;
  try {
    await schedule.run();
  } catch (caught) {
    error = caught instanceof Error ? caught.message.slice(0, maxErrorLength) : 'failed without an error';
    log.error({ err: caught, job: claim.name, failures: claim.failures + 1 }, 'job failed');
  }
  stopRenewing();
  const took_ms = Math.round(performance.now() - began_ms);
  counts.ended(claim.name, took_ms, error === null);
  const next_at = nextDue(schedule.cron, claim, took_ms, error !== null);
  await postgres.call(endJob(claim, { next_at, took_ms, error })).catch((caught: unknown) => {
    // The lease runs out, and whoever takes it does this once more.
    log.warn({ err: caught, job: claim.name }, 'the end of a job was not written');
  });
}

/** Renews the lease until the returned function is called. A lease that was lost needs no more: jobs may overlap. */
function keepLease({ postgres, log, config }: Platform, claim: JobClaim): () => void {
  const timer = setInterval(() => {
    postgres.call(renewJob(claim, config.lease_ms)).catch((error: unknown) => {
      log.warn({ err: error, job: claim.name }, 'the lease of a job was not renewed');
    });
  }, config.lease_ms / 3);
  return () => clearInterval(timer);
}

/** By the database's clock: what it said at the claim, and how long it is since. */
function nextDue(cron: string, { claimed_at, failures }: JobClaim, took_ms: number, failed: boolean): Date {
  const now = new Date(claimed_at.getTime() + took_ms);
  const due = timeAfter(cron, now);
  if (!failed) return due;
  const retry = new Date(now.getTime() + Math.min(firstRetry_ms * 2 ** Math.min(failures, 16), lastRetry_ms));
  return retry < due ? retry : due;
}

function timeAfter(cron: string, after: Date): Date {
  const next = new Cron(cron, { timezone: 'UTC', mode: '5-part', paused: true }).nextRun(after);
  if (next === null) throw new Error(`no time fits the schedule ${cron}`);
  return next;
}

interface JobCounts {
  ended(job: string, took_ms: number, well: boolean): void;
}

function countJobs(metrics: Metrics): JobCounts {
  const registers = [metrics];
  for (const name of ['netra_job_runs_total', 'netra_job_last_seconds']) metrics.removeSingleMetric(name);
  const runs = new Counter({
    name: 'netra_job_runs_total',
    help: 'Due times of jobs that ran on this node, by how they ended',
    labelNames: ['job', 'outcome'],
    registers,
  });
  const last = new Gauge({
    name: 'netra_job_last_seconds',
    help: 'How long a job took when it last ran on this node',
    labelNames: ['job'],
    registers,
  });
  return {
    ended(job, took_ms, well) {
      runs.inc({ job, outcome: well ? 'ok' : 'failed' });
      last.set({ job }, took_ms / 1_000);
    },
  };
}
