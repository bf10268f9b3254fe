import { Logger, parseCronItems, run, type Runner, type TaskList } from 'graphile-worker';
import type { Log, Platform } from '../platform/index.ts';

/** Work that is due by the clock, on one node of all. */
export interface Schedule {
  readonly name: string;
  /** As in crontab, UTC: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** Safe to repeat: it may run again after a crash. */
  readonly run: () => Promise<unknown>;
}

export interface Jobs {
  /**
   * Asks for a schedule's work now, unless it was asked for and has not ended: then this changes nothing, and neither
   * hurries one that failed and waits to be tried again.
   */
  kick(name: string): Promise<void>;
  /** Resolves when no job runs here any more. */
  stop(): Promise<void>;
}

/** Made by migration 0006, owned by the application: its tables hold no tenant's data. */
const schema = 'netra_jobs';
/** A job that fails is tried again by graphile-worker with growing pauses, this often; its schedule comes back anyway. */
const maxAttempts = 5;

/**
 * Runs the schedules. graphile-worker makes its tables at the first start, keeps them up to date, and sees to it that
 * each due time runs once among all nodes. Runs of agents are not jobs: their queue is the lease (decision 0005).
 */
export async function startJobs({
  platform,
  app_url,
  schedules,
}: {
  readonly platform: Platform;
  /** The application's login. */
  readonly app_url: string;
  readonly schedules: readonly Schedule[];
}): Promise<Jobs> {
  const taskList: TaskList = {};
  for (const { name, run: work } of schedules) {
    taskList[name] = async () => {
      await work();
    };
  }
  const options = { maxAttempts, queueName: 'schedules', backfillPeriod: 0 };
  const items = schedules.map(({ name, cron }) => ({
    task: name,
    match: cron,
    identifier: name,
    options: { ...options, jobKey: name },
  }));
  const runner: Runner = await run({
    connectionString: app_url,
    maxPoolSize: 3,
    concurrency: 1,
    pollInterval: 2_000,
    schema,
    noPreparedStatements: !platform.config.postgres_prepared,
    noHandleSignals: true,
    logger: toLog(platform.log),
    taskList,
    parsedCronItems: parseCronItems(items),
  });
  return {
    async kick(name) {
      await runner.addJob(name, {}, { jobKey: name, jobKeyMode: 'unsafe_dedupe', maxAttempts, queueName: 'schedules' });
    },
    stop: () => runner.stop(),
  };
}

function toLog(log: Log): Logger {
  return new Logger(() => (level, message) => {
    if (level === 'error') log.error({ room: 'jobs' }, message);
    else if (level === 'warning') log.warn({ room: 'jobs' }, message);
    else log.debug({ room: 'jobs' }, message);
  });
}
