import { NetraError } from '@netra/contract';
import type { Platform, Principal } from '../platform/index.ts';
import type { Limits } from './limits.ts';

/** What a tenant has open: counted here, and told to the other nodes. */
type Kind = 'sockets' | 'subscriptions';
type Owner = Pick<Principal, 'org_id' | 'user_id'>;

interface Count {
  readonly org_id: string;
  held: number;
  /** What the other nodes hold, as of the last time that they were asked. */
  others: number;
  changed: boolean;
}

/** What a node that died held is free again after this; told anew three times as often. */
const ttl_ms = 30_000;

/**
 * Sockets and subscriptions of each user and organisation, bounded over all nodes (docs/PROTOCOL.md, Limits). A socket
 * asks before it is let in, so that this limit is exact. A subscription asks nobody: it counts what is here and what
 * the others said when this node last told them of its own, at most ten seconds ago.
 *
 * Without Redis each node holds its own count against the whole limit: what is bounded stays bounded, by nodes × limit.
 */
export class TenantCounts {
  readonly #platform: Platform;
  readonly #limits: Limits;
  readonly #counts = new Map<string, Count>();
  #told_ms = 0;
  #telling = false;

  constructor(platform: Platform, limits: Limits) {
    this.#platform = platform;
    this.#limits = limits;
  }

  /** A socket of `owner` opens; throws `rate_limited`. Ends with `giveSocket`. */
  async takeSocket(owner: Owner): Promise<void> {
    const counts = this.#take('sockets', owner);
    const keys = keysOf('sockets', owner);
    const gauges = keys.map((key, at) => ({ key, held: counts[at]?.held ?? 0, max: this.#max('sockets', at) }));
    const answer = await this.#platform.redis.hold({ gauges, holder: this.#platform.node_id, ttl_ms });
    if (answer === null || answer.full === null) return;
    this.#give('sockets', owner);
    throw this.#refusal('sockets', answer.full);
  }

  giveSocket(owner: Owner): void {
    this.#give('sockets', owner);
  }

  /** `owner` follows one more run; throws `rate_limited`. Ends with `giveSubscription`. */
  takeSubscription(owner: Owner): void {
    this.#take('subscriptions', owner);
  }

  giveSubscription(owner: Owner): void {
    this.#give('subscriptions', owner);
  }

  /** Asked by the sweep: tells what has changed, and everything before it is forgotten. */
  tell(now_ms: number): void {
    if (this.#telling) return;
    const all = now_ms - this.#told_ms >= ttl_ms / 3;
    if (all) this.#told_ms = now_ms;
    this.#telling = true;
    void this.#tell(all)
      .catch((error: unknown) => this.#platform.log.warn({ err: error }, 'open sockets not told'))
      .finally(() => (this.#telling = false));
  }

  #take(kind: Kind, owner: Owner): readonly Count[] {
    const counts = keysOf(kind, owner).map((key) => this.#count(key, owner.org_id));
    const full = counts.findIndex(({ held, others }, at) => held + others + 1 > this.#max(kind, at));
    // A socket asks the others itself: what they last said may be over by now.
    if (full >= 0 && (kind === 'subscriptions' || (counts[full]?.held ?? 0) + 1 > this.#max(kind, full))) {
      throw this.#refusal(kind, full);
    }
    for (const count of counts) {
      count.held += 1;
      count.changed = true;
    }
    return counts;
  }

  #give(kind: Kind, owner: Owner): void {
    for (const key of keysOf(kind, owner)) {
      const count = this.#count(key, owner.org_id);
      count.held = Math.max(0, count.held - 1);
      count.changed = true;
    }
  }

  #count(key: string, org_id: string): Count {
    let count = this.#counts.get(key);
    if (!count) this.#counts.set(key, (count = { org_id, held: 0, others: 0, changed: false }));
    return count;
  }

  #max(kind: Kind, at: number): number {
    const { sockets_user, sockets_org, subscriptions_user, subscriptions_org } = this.#limits;
    if (kind === 'sockets') return at === 0 ? sockets_user : sockets_org;
    return at === 0 ? subscriptions_user : subscriptions_org;
  }

  #refusal(kind: Kind, at: number): NetraError {
    const max = this.#max(kind, at);
    const [limit, whose] = at === 0 ? [`${kind}_user`, 'You have'] : [`${kind}_org`, 'Your organisation has'];
    const what = kind === 'sockets' ? 'open as many sockets' : 'followed as many runs';
    return new NetraError('rate_limited', `${whose} ${what} as allowed, on all nodes together.`, { limit, max });
  }

  /** One call an organisation: its keys share a hash tag. */
  async #tell(all: boolean): Promise<void> {
    const byOrg = new Map<string, [string, Count][]>();
    for (const [key, count] of this.#counts) {
      if (!all && !count.changed) continue;
      const entries = byOrg.get(count.org_id);
      if (entries) entries.push([key, count]);
      else byOrg.set(count.org_id, [[key, count]]);
    }
    for (const entries of byOrg.values()) await this.#tellOrg(entries);
  }

  async #tellOrg(entries: readonly (readonly [string, Count])[]): Promise<void> {
    for (const [, count] of entries) count.changed = false;
    const gauges = entries.map(([key, { held }]) => ({ key, held, max: null }));
    const answer = await this.#platform.redis.hold({ gauges, holder: this.#platform.node_id, ttl_ms });
    for (const [at, [key, count]] of entries.entries()) {
      count.others = answer?.others[at] ?? 0;
      // Not told: Redis is gone, and is asked again at the next sweep.
      if (answer === null) count.changed = true;
      if (count.held === 0 && !count.changed) this.#counts.delete(key);
    }
  }
}

function keysOf(kind: Kind, { org_id, user_id }: Owner): readonly [string, string] {
  return [`netra:{${org_id}}:${kind}:${user_id}`, `netra:{${org_id}}:${kind}`];
}
