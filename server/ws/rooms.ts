import type { RunEvent } from '@netra/contract';
import type { Ctx, Platform, Principal } from '../platform/index.ts';

/** One thing a tail has to say. `events` are committed (R1), dense, and each given once. */
export type TailStep =
  | { readonly kind: 'events'; readonly events: readonly RunEvent[] }
  | { readonly kind: 'live'; readonly seq: number }
  | { readonly kind: 'end'; readonly seq: number }
  | { readonly kind: 'reset'; readonly epoch: number; readonly first: number; readonly reason: string };

/** A run's log from a cursor on. Pull-based: whoever does not pull holds nothing but its cursor. */
export interface Tail {
  readonly epoch: number;
  readonly head: number;
  next(signal: AbortSignal): Promise<TailStep>;
  close(): void | Promise<void>;
}

/** The verbs behind the frames. Each authorises: a run id is not a credential. */
export interface Rooms {
  admitRun(call: {
    ctx: Ctx;
    input: { thread?: string; agent: string; input: unknown; idempotency_key: string };
  }): Promise<{ run: string; thread: string }>;
  tailRun(call: { ctx: Ctx; input: { run: string; after: number; epoch?: number } }): Promise<Tail>;
  requestCancel(call: { ctx: Ctx; input: { run: string } }): Promise<unknown>;
  giveApproval(call: { ctx: Ctx; input: { run: string; call: string; approved: boolean } }): Promise<unknown>;
}

export interface Authenticator {
  authenticate(platform: Platform, token: string): Promise<Principal>;
}

/** Counts a `run` frame towards the plan's requests an hour; throws `rate_limited`. */
export interface RequestCounter {
  checkRequestRate(options: { ctx: Ctx }): Promise<unknown>;
}
