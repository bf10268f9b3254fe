import type { Platform } from '../platform/index.ts';
import type { Lease } from './claim.ts';
import type { EncodedEvent } from './encode-event.ts';
import { nodeOf } from './node.ts';
import { retryUnknown } from './retry-unknown.ts';
import { parkRunStatement } from './sql/run.ts';

/** Appends what is left and gives the lease up: a parked run costs nothing while a person thinks. */
export async function parkRun({
  platform,
  claim,
  input,
}: {
  readonly platform: Platform;
  readonly claim: Lease;
  readonly input: { readonly head: number; readonly events: readonly EncodedEvent[] };
}): Promise<Date> {
  const events_json = `[${input.events.map(({ json }) => json).join(',')}]`;
  const statement = parkRunStatement(claim, input.head, events_json);
  const [row] = await retryUnknown(platform, () => platform.postgres.call<{ at: Date }>(statement));
  if (!row) throw new Error('park_run gave no row');
  nodeOf(platform).hint({ kind: 'moved', runs: [claim.run_id] });
  return row.at;
}
