import { createHash } from 'node:crypto';
import type { AdmitInput } from './admit-run.ts';

/** What makes two requests the same: who asks whom for what, in which conversation; not the order of members. */
export function hashRequest(request: AdmitInput): string {
  const { thread, agent, input, max_credits_micro, if_busy, start_at, delay_ms } = request;
  // Absent, they are no members: requests from before there were any hash as they did.
  const options = { max_credits_micro, if_busy, start_at, delay_ms };
  const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return createHash('sha256')
    .update(JSON.stringify(ordered({ thread: thread ?? null, agent, input: input ?? null, ...asked })))
    .digest('base64url');
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, ordered(member)]),
  );
}
