import { NetraError } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { nodeOf } from './node.ts';
import type { RunState } from './run.ts';
import { giveApprovalStatement, type StateRow } from './sql/run.ts';

/**
 * Answers a call that waits for a person. The answer is an event of the log; with the last one the run goes back to the
 * queue. The same answer again changes nothing; another one, or a call that asked for none, is a `conflict`.
 */
export async function giveApproval({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly run: string; readonly call: string; readonly approved: boolean };
}): Promise<{ readonly state: RunState }> {
  const { org_id, user_id, role } = ctx.principal;
  if (role === 'viewer') throw new NetraError('forbidden', 'A viewer cannot approve a call.');
  const { run, call, approved } = input;
  const statement = giveApprovalStatement(org_id, run, { call, approved, by: user_id });
  const [row] = await ctx.platform.postgres.call<StateRow>(statement);
  if (!row) throw new NetraError('not_found', 'There is no such run.');
  const node = nodeOf(ctx.platform);
  node.feed.wake(run);
  node.hint({ kind: 'moved', runs: [run] });
  if (row.state === 'queued') {
    node.worker?.queued();
    node.hint({ kind: 'queued' });
  }
  return { state: row.state as RunState };
}
