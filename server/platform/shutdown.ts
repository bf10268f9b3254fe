import type { Log } from './log.ts';

type Closer = () => Promise<void> | void;

export interface Shutdown {
  /** Runs after those added later: last opened, first closed. */
  add(name: string, close: Closer): void;
  /** Resolves to the exit code once everything is closed; the same promise however often it is asked. */
  close(reason: string): Promise<number>;
  /** Aborted as soon as a drain begins. */
  readonly signal: AbortSignal;
  /** Stops listening to signals; for tests and embedders. */
  dispose(): void;
}

export interface ShutdownOptions {
  readonly log: Log;
  /** For all closers together; what has not closed by then is named and left. */
  readonly timeout_ms: number;
  /** Ends the process; a test passes its own. */
  readonly exit?: (code: number) => void;
  /** Where SIGTERM and SIGINT come from. */
  readonly source?: Pick<NodeJS.Process, 'on' | 'off'>;
}

const signals = ['SIGTERM', 'SIGINT'] as const;

/**
 * Drains once: the first SIGTERM or SIGINT closes everything in reverse order within `timeout_ms` and ends the process
 * with 0 (1 if something did not close). The second signal ends it at once with 130 or 143: whoever sends it twice means it.
 */
export function openShutdown({ log, timeout_ms, exit = process.exit, source = process }: ShutdownOptions): Shutdown {
  const closers: { readonly name: string; readonly close: Closer }[] = [];
  const draining = new AbortController();
  let closing: Promise<number> | null = null;

  const close = (reason: string): Promise<number> => {
    closing ??= (async () => {
      log.info({ reason }, 'draining');
      draining.abort();
      return closeAll(closers.toReversed(), timeout_ms, log);
    })();
    return closing;
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (closing !== null) {
      log.warn({ signal }, 'second signal: stopping at once');
      exit(signal === 'SIGINT' ? 130 : 143);
      return;
    }
    void close(signal).then(exit);
  };
  for (const signal of signals) source.on(signal, onSignal);
  return {
    add: (name, closer) => void closers.push({ name, close: closer }),
    close,
    signal: draining.signal,
    dispose: () => {
      for (const signal of signals) source.off(signal, onSignal);
    },
  };
}

type Named = { readonly name: string; readonly close: Closer };

async function closeAll(closers: readonly Named[], timeout_ms: number, log: Log): Promise<number> {
  const deadline = performance.now() + timeout_ms;
  let code = 0;
  for (const { name, close } of closers) {
    // One that hangs takes the time, not the turn, of those after it: the stores' own closers always get a second.
    const left_ms = Math.max(1_000, deadline - performance.now());
    const outcome = await within(left_ms, close);
    if (outcome === 'closed') continue;
    code = 1;
    log.error({ closer: name, err: outcome }, 'did not close cleanly');
  }
  return code;
}

async function within(timeout_ms: number, close: Closer): Promise<'closed' | Error> {
  const { promise, resolve } = Promise.withResolvers<Error>();
  const timer = setTimeout(() => resolve(new Error(`not within ${Math.round(timeout_ms)} ms`)), timeout_ms);
  const closed = (async () => close())().then(
    () => 'closed' as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  const outcome = await Promise.race([closed, promise]);
  clearTimeout(timer);
  return outcome;
}
