import { refreshBody, type Session } from '@netra/contract';
import { unauthenticated } from './unauthenticated.ts';
import { sessionOf } from './open-session.ts';
import { sessionTtl_s } from './open-auth.ts';
import { parseInput } from '../platform/index.ts';
import { provisionOrg } from './provision-org.ts';
import type { PublicCall } from './room.ts';
import { extendSession, sessionMembership, type SessionMembership } from './sql/memberships.ts';
import { rows } from './sql/rows.ts';

const extendAfter_ms = 24 * 3600 * 1000;

/**
 * A new access token for a living session, with the role as it is now. The session's token is not rotated: two tabs
 * that refresh at once both go on, and a lost answer costs nothing; it ends by sign-out, removal, or 30 days unused.
 */
export async function refreshToken({ room, caller, input }: PublicCall): Promise<Session> {
  const { refresh_token } = parseInput(refreshBody, input);
  const [member] = await rows<SessionMembership>(room.pool, sessionMembership(refresh_token));
  if (!member) throw unauthenticated();
  await provisionOrg(room, member, caller.trace_id);
  if (room.platform.clock.nowMs() - member.updated_at.getTime() > extendAfter_ms) {
    await rows(room.pool, extendSession(refresh_token, sessionTtl_s));
  }
  return sessionOf(room, refresh_token, member);
}
