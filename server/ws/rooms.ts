import type { IfBusy } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import type { Tail } from '../runs/index.ts';

export type { Authenticator } from '../platform/index.ts';

/** The verbs behind the frames. Each authorises: a run id is not a credential. */
export interface Rooms {
  admitRun(call: {
    ctx: Ctx;
    input: {
      thread?: string | undefined;
      agent: string;
      input: unknown;
      idempotency_key: string;
      max_credits_micro?: string | undefined;
      if_busy?: IfBusy | undefined;
      start_at?: string | undefined;
      delay_ms?: number | undefined;
    };
  }): Promise<{ run: string; thread: string }>;
  tailRun(call: { ctx: Ctx; input: { run: string; after: number; epoch?: number } }): Promise<Tail>;
  requestCancel(call: { ctx: Ctx; input: { run: string } }): Promise<unknown>;
  giveApproval(call: { ctx: Ctx; input: { run: string; call: string; approved: boolean } }): Promise<unknown>;
}

/** Counts a `run` frame towards the plan's requests an hour; throws `rate_limited`. */
export interface RequestCounter {
  checkRequestRate(options: { ctx: Ctx }): Promise<unknown>;
}
