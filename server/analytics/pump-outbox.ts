import { NetraError } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { outboxMetrics } from './outbox-metrics.ts';
import { outboxPayloads, projectBatch, type OutboxKind, type OutboxRow } from './outbox-rows.ts';
import { clearOutbox, takeOutbox } from './sql/outbox.ts';

const batchRows = 5_000;
const lease_ms = 60_000;
const maxBatches = 1_000;

/**
 * Sends what waits in the outbox to ClickHouse, exactly once: a batch keeps its id and its rows until it is cleared,
 * and its id is the insert's deduplication token, so being killed at any point and doing it again changes nothing.
 * Several may run at once; each batch is leased to one. Resolves to the rows sent, when nothing waits any more (or
 * after 1,000 batches).
 *
 * A batch that cannot be sent stays and is tried again after its lease; it holds up no other, and its error is thrown
 * once the others are sent. Throws `unavailable` at once.
 */
export async function pumpOutbox({
  platform,
  onCharges,
}: {
  readonly platform: Platform;
  /** Hears of the organisations that a batch has charges of, before it is cleared: again if the batch is repeated. */
  readonly onCharges?: (org_ids: readonly string[]) => Promise<void>;
}): Promise<{ rows: number }> {
  const failures: unknown[] = [];
  let sent = 0;
  for (let batch = 0; batch < maxBatches; batch += 1) {
    const take = takeOutbox(platform.ids.uuid(), batchRows, lease_ms);
    const rows = await platform.postgres.call<OutboxRow>(take);
    const [first] = rows;
    if (first === undefined) break;
    try {
      // First: that ClickHouse is away is no reason not to tell.
      if (first.kind === 'charge') await onCharges?.([...new Set(rows.map(({ org_id }) => org_id))]);
      await sendBatch(platform, first, rows);
      sent += rows.length;
    } catch (error) {
      outboxMetrics(platform).failures.inc();
      if (error instanceof NetraError && error.code === 'unavailable') throw error;
      failures.push(new Error(`batch ${first.batch_id} of the outbox cannot be sent`, { cause: error }));
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} batches of the outbox cannot be sent`);
  return { rows: sent };
}

async function sendBatch(platform: Platform, first: OutboxRow, rows: readonly OutboxRow[]): Promise<void> {
  if (!isKnown(first.kind)) throw new Error(`the outbox has rows of kind ${first.kind}, which nobody receives`);
  const tables = projectBatch(first.kind, rows);
  for (const [table, stored] of Object.entries(tables)) {
    await platform.clickhouse.insert({ table, rows: stored, token: first.batch_id });
  }
  await platform.postgres.call(clearOutbox(first.batch_id));
}

function isKnown(kind: string): kind is OutboxKind {
  return Object.hasOwn(outboxPayloads, kind);
}
