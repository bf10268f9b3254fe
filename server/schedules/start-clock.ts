import { letStuckRuns, startDueRuns, type RoleOf } from '../agents/index.ts';
import type { Platform } from '../platform/index.ts';
import { runDueSchedules } from './run-due-schedules.ts';

export interface RunClock {
  /** Resolves when nothing of it is on its way any more. */
  stop(): Promise<void>;
}

/** How late a time may be noticed. Two probes of an index, each of them empty almost always. */
const poll_ms = 1_000;
const stuck_every = 60;

/** Sees to what is due by the clock, as every node does: scheduled runs, and schedules. */
export function startClock(options: { readonly platform: Platform; readonly roleOf: RoleOf }): RunClock {
  const { platform } = options;
  let looks = 0;
  let stopped = false;
  let wake: () => void = () => undefined;

  const look = async (): Promise<void> => {
    await startDueRuns(options);
    await runDueSchedules(options);
    looks += 1;
    if (looks % stuck_every === 0) await letStuckRuns(options);
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await look().catch((error: unknown) => platform.log.warn({ err: error }, 'due runs not looked for'));
      // Jitter: nodes that started together must not look together.
      const timer = setTimeout(resolve, poll_ms * (0.75 + platform.random() / 2));
      await promise;
      clearTimeout(timer);
    }
  };
  const looping = loop();
  return {
    async stop() {
      stopped = true;
      wake();
      await looping;
    },
  };
}
