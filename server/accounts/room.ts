import type { Pool } from 'pg';
import type { Ctx, Platform } from '../platform/index.ts';
import type { ApiKeyCache } from './api-key-cache.ts';
import type { Auth } from './open-auth.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Puts an organisation on a plan; idempotent. Given by main.ts, so that accounts/ needs no room but platform/. */
export type Subscribe = (call: { readonly ctx: Ctx; readonly input: { readonly plan: string } }) => Promise<unknown>;

/** How often a password may be tried, in each window of `window_ms`. */
export interface AttemptLimits {
  readonly per_email: number;
  readonly per_address: number;
  readonly window_ms: number;
}

/** What the verbs of this room stand on. Made once by `createAccounts`. */
export interface AccountsRoom {
  readonly platform: Platform;
  /** Logged in as netra_auth: the only way to schema auth. */
  readonly pool: Pool;
  readonly auth: Auth;
  readonly signingKeys: SigningKeys;
  readonly apiKeys: ApiKeyCache;
  readonly subscribe: Subscribe;
  readonly signup_plan: string;
  readonly issuer: string;
  readonly audience: string;
  readonly limits: AttemptLimits;
}

/** Where a request without a principal comes from. */
export interface Caller {
  readonly address: string;
  readonly trace_id: string;
}

export interface PublicCall {
  readonly room: AccountsRoom;
  readonly caller: Caller;
  readonly input: unknown;
}

export interface TenantCall {
  readonly room: AccountsRoom;
  readonly ctx: Ctx;
  readonly input: unknown;
}
