import type { Platform } from '../platform/index.ts';
import type { Lease } from './claim.ts';
import { encodeData, type EncodedEvent } from './encode-event.ts';
import type { Ending } from './journal.ts';
import { nodeOf } from './node.ts';
import type { OutboxRow } from './outbox-row.ts';
import type { FinishArguments, FinishedRow } from './sql/run.ts';

/**
 * Ends a run: settlement, last events, terminal event with the receipt, outbox; one transaction. Repeated when the
 * answer was lost: the token that ended the run gets the same receipt. Throws `fenced`, `unavailable`.
 */
export async function finishRun({
  platform,
  claim,
  input,
}: {
  readonly platform: Platform;
  readonly claim: Lease;
  readonly input: {
    /** The head that the caller saw; another one means that somebody else wrote. */
    readonly head: number;
    readonly events: readonly EncodedEvent[];
    readonly event: Ending;
    readonly capture_micro: bigint;
    readonly usage: readonly OutboxRow[];
  };
}): Promise<FinishedRow> {
  const ask: FinishArguments = {
    org_id: claim.org_id,
    run_id: claim.run_id,
    lease_token: claim.lease_token,
    head: input.head,
    events_json: `[${input.events.map(({ json }) => json).join(',')}]`,
    type: input.event.type,
    data_json: encodeData(input.event.type, input.event.data),
    capture_micro: input.capture_micro,
    message_id: platform.ids.uuid(),
    outbox_json: JSON.stringify(input.usage),
    beyond: platform.config.credits === 'observe' ? 'observe' : 'plan',
  };
  const node = nodeOf(platform);
  const finished = await node.finishes.call(ask);
  node.hint({ kind: 'moved', runs: [claim.run_id] });
  return finished;
}
