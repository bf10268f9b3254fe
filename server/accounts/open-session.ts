import type { Session } from '@netra/contract';
import { issueToken } from './issue-token.ts';
import { provisionOrg } from './provision-org.ts';
import type { AccountsRoom } from './room.ts';
import { enterSession, type Membership } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';
import { tokenTtl_s } from './token-claims.ts';

/** Lets a new session act in an organisation (completed first, if a crash left it half-made), and gives its tokens. */
export async function openSession(
  room: AccountsRoom,
  session: string,
  member: Membership,
  trace_id: string,
): Promise<Session> {
  await provisionOrg(room, member, trace_id);
  await rows(room.pool, enterSession(session, member.org_id));
  return sessionOf(room, session, member);
}

export async function sessionOf(room: AccountsRoom, session: string, member: Membership): Promise<Session> {
  const token = await issueToken(room, member);
  return { token, expires_in: tokenTtl_s, refresh_token: session, org: member.org_id, user: member.user_id };
}
