import { NetraError } from '@netra/contract';
import { z } from 'zod';
import type { Ctx } from '../platform/index.ts';
import type { StatementRange } from './sql/statement.ts';

/** From `from` on, before `to`; ISO 8601 UTC. */
export const statementRange = z.object({ from: z.iso.datetime().optional(), to: z.iso.datetime().optional() });

/** Without `to` it ends now. Throws `invalid_request` for a range that is none. */
export function readRange(ctx: Ctx, { from, to }: z.infer<typeof statementRange>): StatementRange {
  const range = {
    org_id: ctx.principal.org_id,
    from: from === undefined ? null : new Date(from),
    to: to === undefined ? new Date(ctx.platform.clock.nowMs()) : new Date(to),
  };
  if (range.from !== null && range.from > range.to) {
    throw new NetraError('invalid_request', '`from` must not be after `to`.', { fields: ['from', 'to'] });
  }
  return range;
}
