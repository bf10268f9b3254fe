import { runWithTransaction } from '@better-auth/core/context';
import { NetraError } from '@netra/contract';
import { isAPIError } from 'better-auth/api';
import { mapPostgresError, PostgresError } from '../platform/index.ts';
import type { AccountsRoom } from './room.ts';
import { membershipsOf, type Membership } from './sql/memberships.ts';
import { correctUnprovisioned } from './sql/orgs.ts';
import { rows } from './sql/rows.ts';

export interface NewUser {
  readonly email: string;
  readonly password: string;
  readonly name: string;
}

/** An organisation that is to be, with its first plan. */
export interface Founding {
  readonly org: string;
  readonly plan: string;
}

export interface Registered {
  readonly user_id: string;
  /** The session's token. */
  readonly session: string;
}

/**
 * User, password, session, and the organisation they found (if any) with its owner, in one transaction; null if the
 * address is taken (which the unique index decides, so of two sign-ups at once one gets null).
 */
export async function registerUser(
  room: AccountsRoom,
  { email, password, name }: NewUser,
  founding: Founding | null,
): Promise<Registered | null> {
  const { adapter } = await room.auth.$context;
  try {
    return await runWithTransaction(adapter, async () => {
      const { user, token } = await room.auth.api.signUpEmail({ body: { email, password, name } });
      if (token === null) throw new NetraError('internal', 'Sign-up made no session');
      if (founding) await createOrganization(room, user.id, founding);
      return { user_id: user.id, session: token };
    });
  } catch (error) {
    if (isTaken(error)) return null;
    throw mapPostgresError(error, null);
  }
}

/**
 * The membership that a registration means: the organisation of that name which the user owns. One that was never
 * completed takes the name and plan of this try; without any, one is made. Throws `conflict` if they own another.
 */
export async function foundedBy(room: AccountsRoom, user_id: string, input: Founding): Promise<Membership> {
  const owned = await ownedBy(room, user_id);
  const same = owned.find(({ org_name }) => org_name === input.org);
  if (same?.provisioned || same?.plan === input.plan) return same;
  const unfinished = same ?? owned.find(({ provisioned }) => !provisioned);
  if (unfinished) {
    await rows(room.pool, correctUnprovisioned(unfinished.org_id, input.org, input.plan));
    return { ...unfinished, org_name: input.org, plan: input.plan };
  }
  if (owned.length > 0) throw addressTaken();
  const made = await createOrganization(room, user_id, input);
  const [member] = await ownedBy(room, user_id);
  // Not made: another try was faster, and may have asked for another name.
  if (member && (made || member.org_name === input.org)) return member;
  throw addressTaken();
}

async function ownedBy(room: AccountsRoom, user_id: string): Promise<Membership[]> {
  const memberships = await rows<Membership>(room.pool, membershipsOf(user_id));
  return memberships.filter(({ role }) => role === 'owner');
}

/**
 * An organisation and its owner, in one transaction (the caller's, if there is one). The slug is the user's id: unique,
 * so that of two tries at once one founds it, and the other gets false.
 */
async function createOrganization(room: AccountsRoom, user_id: string, { org, plan }: Founding): Promise<boolean> {
  const { adapter } = await room.auth.$context;
  const body = { name: org, slug: user_id, userId: user_id, plan };
  try {
    await runWithTransaction(adapter, () => room.auth.api.createOrganization({ body }));
    return true;
  } catch (error) {
    if (isAPIError(error) && error.body?.code === 'ORGANIZATION_ALREADY_EXISTS') return false;
    const mapped = mapPostgresError(error, null);
    if (mapped instanceof PostgresError && mapped.constraint === 'organization_slug_key') return false;
    throw mapped;
  }
}

export function addressTaken(): NetraError {
  return new NetraError('conflict', 'This e-mail address has an account already: sign in instead');
}

/** Taken before, or by a sign-up that committed while this one ran. */
function isTaken(error: unknown): boolean {
  const code: unknown = isAPIError(error) ? error.body?.code : undefined;
  return code === 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL' || code === 'FAILED_TO_CREATE_USER';
}
