import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';

/** With growing pauses, 50 ms to 1.6 s: about three seconds, less than a lease. */
const maxAttempts = 6;

/**
 * Tries again while the database cannot be reached, when nobody knows whether the last try was committed: only for
 * statements whose repeat is harmless. Gives up with `unavailable`.
 */
export async function retryUnknown<T>(platform: Platform, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const unknown = error instanceof NetraError && error.code === 'unavailable';
      if (!unknown || attempt === maxAttempts) throw error;
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, (0.5 + platform.random() / 2) * 50 * 2 ** attempt);
      await promise;
    }
  }
}
