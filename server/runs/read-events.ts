import type { RunEvent } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import { readPage } from './read-page.ts';

/** A page of a run's log after `after`, with the run's head as of the same moment. Throws `not_found`. */
export async function readEvents({
  ctx,
  input,
}: {
  ctx: Ctx;
  input: { readonly run: string; readonly after: number; readonly limit: number };
}): Promise<{
  readonly epoch: number;
  readonly head: number;
  readonly ended: boolean;
  readonly events: readonly RunEvent[];
}> {
  const run = { org_id: ctx.principal.org_id, run_id: input.run };
  const { epoch, head, ended, events } = await readPage(ctx.platform, run, input.after, input.limit);
  return { epoch, head, ended, events };
}
