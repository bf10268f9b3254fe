import { oneRow, type Platform } from '../platform/index.ts';
import { cutEventsStatement, type CutRow } from './sql/retention.ts';

/** Small enough that a batch is over before anybody waits for its locks: 5,000 events take about 20 ms. */
const events_batch = 5_000;
const orgs_batch = 200;

/**
 * For a schedule: cuts the events of runs that ended longer ago than their organisation's plan keeps them. Messages,
 * receipts and the ledger stay. At most `batches` batches, each a transaction; what is left over is due again at the
 * next time. Returns how many events went.
 */
export async function cutEvents({
  platform,
  batches,
}: {
  readonly platform: Platform;
  readonly batches: number;
}): Promise<number> {
  let cut = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const statement = cutEventsStatement(orgs_batch, events_batch);
    const { orgs, events } = oneRow(await platform.postgres.call<CutRow>(statement));
    cut += events;
    if (orgs < orgs_batch && events < events_batch) break;
  }
  return cut;
}
