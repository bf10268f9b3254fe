import type { Platform } from '../platform/index.ts';
import type { Claim } from '../runs/index.ts';
import { claimRuns } from './sql/lease.ts';

export interface ClaimQueue {
  /** There was more than we could take, as far as we know: who comes now has to stand in line. */
  readonly backlog: boolean;
  /** Something was queued: look now. */
  wake(): void;
  /** A run has left: look now if there was more than we could take. */
  roomMade(): void;
  /** Resolves when no claim is on its way any more. */
  stop(): Promise<void>;
}

/** An idle node leaves the queue alone for so long, or an eighth of a lease: so late may an expired one be noticed. */
const maxPoll_ms = 500;
/** Runs taken by one statement: others should get some, too. */
const batch = 32;

/** Claims runs while there is room: expired leases first, then by priority. */
export function claimQueue({
  platform,
  held,
  room,
  take,
}: {
  readonly platform: Platform;
  /**
   * Runs that this node works on. A node alone that stood still for longer than a lease would else find them among those
   * that nobody renews, and take them from itself.
   */
  readonly held: () => readonly string[];
  readonly room: () => number;
  readonly take: (claim: Claim) => void;
}): ClaimQueue {
  let stopped = false;
  let backlog = false;
  let wake: () => void = () => undefined;
  const poll_ms = Math.min(maxPoll_ms, platform.config.lease_ms / 8);

  const look = async (): Promise<void> => {
    const limit = Math.min(room(), batch);
    if (limit <= 0) {
      backlog = true;
      return;
    }
    const { postgres, config, node_id } = platform;
    const claims = await postgres.call<Claim>(claimRuns(node_id, limit, config.lease_ms, held()));
    backlog = claims.length === limit;
    for (const claim of claims) take(claim);
  };

  const pause = async (): Promise<void> => {
    if (backlog && room() > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    // Jitter: nodes that started together must not look together.
    const timer = setTimeout(resolve, poll_ms * (0.75 + platform.random() / 2));
    await promise;
    clearTimeout(timer);
  };

  const loop = async (): Promise<void> => {
    while (!stopped) {
      await look().catch((error: unknown) => {
        backlog = false;
        platform.log.warn({ err: error }, 'queue not read');
      });
      await pause();
    }
  };

  const looping = loop();
  return {
    get backlog() {
      return backlog;
    },
    wake: () => wake(),
    roomMade: () => {
      if (backlog) wake();
    },
    stop: () => {
      stopped = true;
      wake();
      return looping;
    },
  };
}
