import type { Log } from './log.ts';

export interface Poll {
  /** Looks at once instead of at the end of the pause; while a look is under way, once more after it. */
  wake(): void;
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>;
}

/**
 * Looks over and over, `pause_ms` after the last look has ended, a quarter more or less: nodes that started together must
 * not look together. A look that fails is logged as `failed` and not the last one.
 */
export function startPoll(options: {
  readonly pause_ms: number;
  readonly look: () => Promise<unknown>;
  /** What the log says of a look that failed. */
  readonly failed: string;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}): Poll {
  const { pause_ms, look, failed, log, random } = options;
  let stopped = false;
  let woken = false;
  let end: () => void = () => undefined;

  const pause = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    end = resolve;
    const timer = setTimeout(resolve, pause_ms * (0.75 + random() / 2));
    await promise;
    clearTimeout(timer);
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      woken = false;
      // An error thrown before the first await is one of the look's, too.
      await Promise.try(look).catch((error: unknown) => log.warn({ err: error }, failed));
      if (!stopped && !woken) await pause();
    }
  };
  const looping = loop();
  return {
    wake() {
      woken = true;
      end();
    },
    async stop() {
      stopped = true;
      end();
      await looping;
    },
  };
}
