import type { Platform, Principal } from '../platform/index.ts';
import type { Limits } from './limits.ts';

const window_ms = 10_000;
/** A node asks for so many parts of the limit at a time: Redis is asked ten times a window, not once a frame. */
const parts = 10;

interface Budget {
  /** Frames that may still come before more must be asked for; below 0 while the answer is on its way. */
  left: number;
  asking: boolean;
  refused_until_ms: number;
  used_ms: number;
}

/**
 * Frames of each user and organisation on all nodes together. Exact to within a part of the limit a node. Without Redis
 * each node holds its own count against the whole limit (platform/redis `consume`).
 */
export class FrameBudgets {
  readonly #platform: Platform;
  readonly #limits: Limits;
  readonly #budgets = new Map<string, Budget>();

  constructor(platform: Platform, limits: Limits) {
    this.#platform = platform;
    this.#limits = limits;
  }

  /** Counts one frame; the name of the limit that it is over, and for how long, or null. */
  take(
    { org_id, user_id }: Principal,
    now_ms: number,
  ): { readonly limit: string; readonly resets_in_ms: number } | null {
    const of_user = this.#takeOne(`netra:{${org_id}}:frames:${user_id}`, this.#limits.frames_user, now_ms);
    if (of_user > 0) return { limit: 'frames_user', resets_in_ms: of_user };
    const of_org = this.#takeOne(`netra:{${org_id}}:frames`, this.#limits.frames_org, now_ms);
    return of_org > 0 ? { limit: 'frames_org', resets_in_ms: of_org } : null;
  }

  /** Forgets whoever has been quiet for a window. Asked by the sweep. */
  forget(now_ms: number): void {
    for (const [key, { used_ms, asking }] of this.#budgets) {
      if (!asking && now_ms - used_ms > window_ms) this.#budgets.delete(key);
    }
  }

  /** 0, or how long the caller has to wait. */
  #takeOne(key: string, max: number, now_ms: number): number {
    let budget = this.#budgets.get(key);
    if (!budget) this.#budgets.set(key, (budget = { left: 0, asking: false, refused_until_ms: 0, used_ms: now_ms }));
    budget.used_ms = now_ms;
    if (budget.refused_until_ms > now_ms) return budget.refused_until_ms - now_ms;
    const part = Math.max(1, Math.floor(max / parts));
    // What comes while the answer is on its way is let in, up to one more part.
    if (budget.left <= -part) return 1_000;
    budget.left -= 1;
    if (budget.left < part / 2 && !budget.asking) void this.#ask(key, budget, part, max);
    return 0;
  }

  async #ask(key: string, budget: Budget, points: number, max: number): Promise<void> {
    budget.asking = true;
    try {
      const { allowed, resets_in_ms } = await this.#platform.redis.consume({ key, points, max, window_ms });
      if (allowed) budget.left += points;
      else if (budget.left <= 0) budget.refused_until_ms = this.#platform.clock.nowMs() + resets_in_ms;
    } finally {
      budget.asking = false;
    }
  }
}
