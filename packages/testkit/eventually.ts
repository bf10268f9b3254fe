import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls until `probe` returns something other than undefined, null or false, and resolves to it. Fails at the deadline
 * with `what` and the last error of the probe, so that a test waits for a state and never for a time.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  { deadline_ms = 10_000, every_ms = 20 }: { readonly deadline_ms?: number; readonly every_ms?: number } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const until_ms = performance.now() + deadline_ms;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until_ms) {
      throw new Error(`${what}: not within ${deadline_ms} ms`, last === undefined ? {} : { cause: last });
    }
    await sleep(every_ms);
  }
}
