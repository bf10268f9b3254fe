import type { Session } from '@netra/contract';
import type { Pool } from 'pg';
import type { Ctx, Platform, Principal, Role } from '../platform/index.ts';
import { acceptInvitation } from './accept-invitation.ts';
import { createApiKeyCache } from './api-key-cache.ts';
import { authenticate } from './authenticate.ts';
import { changeRole } from './change-role.ts';
import { createApiKey, type NewApiKey } from './create-api-key.ts';
import { createUserByOperator } from './create-user-by-operator.ts';
import { inviteMember, type Invitation } from './invite-member.ts';
import { listApiKeys } from './list-api-keys.ts';
import { listMembers, type Page } from './list-members.ts';
import { openAuth } from './open-auth.ts';
import { readMe, type Me } from './read-me.ts';
import { refreshToken } from './refresh-token.ts';
import { removeMember } from './remove-member.ts';
import { revokeApiKey } from './revoke-api-key.ts';
import { roleOf } from './role-of.ts';
import type { AccountsRoom, AttemptLimits, Caller, Subscribe } from './room.ts';
import { signIn } from './sign-in.ts';
import { signOut } from './sign-out.ts';
import { signUp } from './sign-up.ts';
import { openSigningKeys, type PublicKey } from './signing-keys.ts';
import type { ListedApiKey } from './sql/api-keys.ts';
import type { ListedMember } from './sql/members.ts';

export interface AccountsOptions {
  readonly platform: Platform;
  /** Logged in as netra_auth. The caller closes it. */
  readonly auth_pool: Pool;
  /** ≥ 32 bytes, the same on every node: encrypts the signing keys at rest. */
  readonly secret: string;
  readonly public_url: string;
  readonly origins: readonly string[];
  readonly signup_plan: string;
  readonly subscribe: Subscribe;
  /** `iss` and `aud` of tokens. Not the address: a token must outlive a restart on another port. */
  readonly issuer?: string;
  readonly limits?: Partial<AttemptLimits>;
}

interface PublicInput {
  readonly caller: Caller;
  readonly input: unknown;
}

interface TenantInput {
  readonly ctx: Ctx;
  readonly input: unknown;
}

/** The room as the others see it. */
export interface Accounts {
  authenticate(platform: Platform, token: string): Promise<Principal>;
  signUp(call: PublicInput): Promise<Session>;
  signIn(call: PublicInput): Promise<Session>;
  refreshToken(call: PublicInput): Promise<Session>;
  signOut(call: PublicInput): Promise<void>;
  jwks(): Promise<{ readonly keys: readonly PublicKey[] }>;
  createUserByOperator(call: {
    readonly trace_id: string;
    readonly input: unknown;
  }): Promise<{ readonly org: string; readonly user: string; readonly token: string }>;
  acceptInvitation(call: PublicInput): Promise<Session>;
  readMe(call: { readonly ctx: Ctx }): Promise<Me>;
  listMembers(call: TenantInput): Promise<Page<ListedMember>>;
  /** As it is now; null for somebody who is no member. */
  roleOf(who: { readonly org_id: string; readonly user_id: string }): Promise<Role | null>;
  inviteMember(call: TenantInput): Promise<Invitation>;
  changeRole(call: TenantInput): Promise<void>;
  removeMember(call: TenantInput): Promise<void>;
  createApiKey(call: TenantInput): Promise<NewApiKey>;
  listApiKeys(call: TenantInput): Promise<Page<ListedApiKey>>;
  revokeApiKey(call: TenantInput): Promise<void>;
}

// An office behind one address signs in at nine; a guesser gets 120 guesses an hour on one account.
const defaultLimits: AttemptLimits = { per_email: 10, per_address: 300, window_ms: 5 * 60_000 };

/** Wires the room. Opens no connection and starts no timer: the first call does. */
export function createAccounts(options: AccountsOptions): Accounts {
  const room = openRoom(options);
  return {
    authenticate: (_platform, token) => authenticate(room, token),
    signUp: (call) => signUp({ room, ...call }),
    signIn: (call) => signIn({ room, ...call }),
    refreshToken: (call) => refreshToken({ room, ...call }),
    signOut: (call) => signOut({ room, ...call }),
    jwks: () => room.signingKeys.jwks(),
    createUserByOperator: (call) => createUserByOperator({ room, ...call }),
    acceptInvitation: (call) => acceptInvitation({ room, ...call }),
    readMe: (call) => readMe({ room, ...call }),
    listMembers: (call) => listMembers({ room, ...call }),
    roleOf: (who) => roleOf({ room, ...who }),
    inviteMember: (call) => inviteMember({ room, ...call }),
    changeRole: (call) => changeRole({ room, ...call }),
    removeMember: (call) => removeMember({ room, ...call }),
    createApiKey: (call) => createApiKey({ room, ...call }),
    listApiKeys: (call) => listApiKeys({ room, ...call }),
    revokeApiKey: (call) => revokeApiKey({ room, ...call }),
  };
}

function openRoom(options: AccountsOptions): AccountsRoom {
  const { platform, auth_pool: pool, secret, public_url, origins, issuer = 'netra' } = options;
  return {
    platform,
    pool,
    auth: openAuth({ pool, ids: platform.ids, log: platform.log, secret, public_url, origins }),
    signingKeys: openSigningKeys({ pool, clock: platform.clock }),
    apiKeys: createApiKeyCache(platform),
    subscribe: options.subscribe,
    signup_plan: options.signup_plan,
    issuer,
    audience: issuer,
    limits: { ...defaultLimits, ...options.limits },
  };
}
