import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { nodeOf } from './node.ts';
import { isEnded } from './read-page.ts';
import type { RunState } from './run.ts';
import { cancelRunStatement, type StateRow } from './sql/run.ts';

/**
 * A durable wish to cancel: it survives crashes, and disconnecting is not one. A run that nobody works on ends at once;
 * a running one is ended by its worker within a heartbeat. Repeating it changes nothing. Throws `not_found`.
 */
export async function requestCancel({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly run: string };
}): Promise<{ readonly state: RunState }> {
  const { org_id, user_id, role } = ctx.principal;
  if (role === 'viewer') throw new NetraError('forbidden', 'A viewer cannot cancel a run.');
  const [row] = await ctx.platform.postgres.call<StateRow>(cancelRunStatement(org_id, input.run, user_id));
  if (!row) throw new NetraError('not_found', 'There is no such run.');
  const node = nodeOf(ctx.platform);
  if (isEnded(row.state)) {
    node.feed.wake(input.run);
    node.hint({ kind: 'moved', runs: [input.run] });
    // Its end may have let another of its thread in.
    node.worker?.queued();
  } else {
    node.worker?.cancelRequested(input.run, user_id);
    node.hint({ kind: 'cancel', run: input.run, by: user_id });
  }
  return { state: row.state as RunState };
}
