import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { NetraError } from '@netra/contract';
import type { z } from 'zod';
import { currentPrices } from '../billing/index.ts';
import { type Ctx, oneRow, parseInput } from '../platform/index.ts';
import { checkRow } from './check-row.ts';
import { ratingBy, type Rating } from './rate-call.ts';
import { hashSource } from './hash-source.ts';
import { insertBatches } from './insert-batches.ts';
import { openRecords, type CallFormat } from './open-records.ts';
import type { UsageRecord } from './read-records.ts';
import { importOptions, type ImportOptions, type ImportResult, type RowError } from './schemas.ts';
import { openSpoolFile, type SpoolFile } from './spool-file.ts';
import { RowSpool, type Batch } from './spool-rows.ts';
import { beginUsageImport, endUsageImport, renewUsageImport, takeUsageTurn } from './sql/usage-imports.ts';
import { UsageSums } from './usage-sums.ts';

const maxErrors = 100;
const lease_ms = 30_000;

export type UsageImport = ImportOptions & { readonly source: AsyncIterable<Uint8Array> };
type Options = z.output<typeof importOptions>;

/**
 * Adds a file of LLM calls to the organisation's usage. All or nothing: the file is read, checked and priced whole, its
 * good rows kept aside as ClickHouse takes them, before the first is inserted; with `skip_bad` the good rows go in and
 * the bad ones are counted. Memory is bounded (a chunk, two batches); the file may have 2 GiB.
 *
 * The same key and file again adds nothing: its rows are reported as duplicates. A call is priced by what was in
 * force at its time unless the file says what it cost.
 *
 * Throws invalid_usage_file with the first 100 bad lines, payload_too_large, idempotency_key_reused (same key, other
 * file or options), conflict (the same import is under way), invalid_request (a model without a price, with names that
 * are like it), forbidden (viewers).
 */
export async function importUsage({ ctx, input }: { ctx: Ctx; input: UsageImport }): Promise<ImportResult> {
  if (ctx.principal.role === 'viewer') throw new NetraError('forbidden', 'Viewers cannot import usage');
  const { source, ...rest } = input;
  const options = parseInput(importOptions, rest);
  const { platform } = ctx;
  const rating = ratingBy(await currentPrices(platform), new Date(platform.clock.nowMs()));
  if (options.model !== undefined) rating.refuseUnknown(options.model);
  const spool = await openSpoolFile(join(platform.config.data_dir, 'spool'), platform.ids.uuid());
  try {
    const seen = await readFile(source, options, spool, rating);
    if (seen.rejected > 0 && !options.skip_bad) throw badRows(seen);
    return await insertOnce(ctx, options, spool, seen);
  } finally {
    await spool.close();
  }
}

interface Seen {
  readonly format: CallFormat;
  readonly skipped: number;
  /** Calls that the file has twice. */
  readonly repeated: number;
  readonly sums: UsageSums;
  readonly batches: readonly Batch[];
  /** SHA-256 of the file. */
  readonly hash: string;
  readonly rejected: number;
  readonly errors: readonly RowError[];
}

async function readFile(
  source: AsyncIterable<Uint8Array>,
  options: Options,
  spool: SpoolFile,
  { rate }: Rating,
): Promise<Seen> {
  const { bytes, hash } = hashSource(source);
  const rules = { model: options.model, user: options.user, rate };
  const rows = new RowSpool(spool);
  const sums = new UsageSums();
  const errors: RowError[] = [];
  let rejected = 0;
  let skipped = 0;
  let repeated = 0;
  const file = await openRecords(bytes, options);
  for await (const records of file.records) {
    for (const record of records) {
      if ('skipped' in record) {
        skipped += 1;
        continue;
      }
      const row = 'error' in record ? record.error : checkRow(record.values, rules);
      if (typeof row === 'string') {
        rejected += 1;
        if (errors.length < maxErrors) errors.push({ line: lineInFile(record), message: row });
      } else {
        // One bad row means that none is kept: from then on the file is only read for its other errors.
        const keeps = rejected === 0 || options.skip_bad;
        if (keeps && !rows.add(record.line, row)) repeated += 1;
        else sums.add(row);
      }
    }
    await rows.write();
  }
  if (sums.calls === 0 && rejected === 0 && skipped === 0)
    throw new NetraError('invalid_usage_file', 'The file has no rows');
  return { format: file.format, sums, batches: await rows.end(), hash: hash(), rejected, skipped, repeated, errors };
}

function lineInFile(record: UsageRecord): number {
  return 'file_line' in record && record.file_line !== undefined ? record.file_line : record.line;
}

function badRows(seen: Seen): NetraError {
  const first = seen.errors[0];
  const message =
    `Nothing was kept: ${seen.rejected} of ${seen.rejected + seen.sums.calls} rows cannot be read. ` +
    `The first is line ${first?.line}: ${first?.message}. Mend them, or keep the good rows with skip_bad.`;
  return new NetraError('invalid_usage_file', message, {
    accepted: 0,
    rejected: seen.rejected,
    good: seen.sums.calls,
    errors: seen.errors,
  });
}

async function insertOnce(ctx: Ctx, options: Options, spool: SpoolFile, seen: Seen): Promise<ImportResult> {
  const { platform, principal } = ctx;
  const import_id = importId(principal.org_id, options.key);
  const lease = { org_id: principal.org_id, import_id, lease_token: platform.ids.uuid(), lease_ms };
  const hash = hashOf(seen.hash, options);
  const begun = oneRow(await platform.postgres.call<Begun>(beginUsageImport({ ...lease, key: options.key, hash })));
  if (begun.result !== null) return { ...begun.result, accepted: 0, duplicates: begun.result.accepted };
  try {
    const { present } = await insertBatches({
      ctx,
      import_id,
      synthetic: options.synthetic,
      origin: seen.format === 'csv' || seen.format === 'jsonl' ? '' : seen.format,
      spool,
      batches: seen.batches,
      resumed: begun.state !== 'new',
      beforeInsert: () => waitForTurn(ctx, lease),
    });
    const totals = seen.sums.totals();
    const result: ImportResult = {
      import_id,
      format: seen.format,
      skipped: seen.skipped,
      accepted: totals.calls,
      rejected: seen.rejected,
      duplicates: 0,
      errors: seen.errors,
      totals,
    };
    await platform.postgres.call(endUsageImport({ ...lease, result: JSON.stringify(result) }));
    return { ...result, accepted: totals.calls - present, duplicates: present + seen.repeated };
  } catch (error) {
    // Let go, so that a retry with the same key need not wait for the lease to end. If this fails too, it ends by itself.
    await platform.postgres.call(endUsageImport({ ...lease, result: null })).catch(() => undefined);
    throw error;
  } finally {
    // If this fails the turn ends by itself.
    await platform.postgres.call(takeUsageTurn(principal.org_id, import_id, 0)).catch(() => undefined);
  }
}

const turnPause_ms = 200;
const maxPauses = 2_000;

/** Keeps the import's lease, and waits until no other import of the organisation inserts: see netra.usage_turn. */
async function waitForTurn({ platform, principal }: Ctx, lease: Lease): Promise<void> {
  for (let pause = 0; pause < maxPauses; pause += 1) {
    await platform.postgres.call(renewUsageImport(lease));
    const turn = takeUsageTurn(principal.org_id, lease.import_id, lease.lease_ms);
    if (oneRow(await platform.postgres.call<{ taken: boolean }>(turn)).taken) return;
    await setTimeout(turnPause_ms);
  }
  throw new NetraError('conflict', 'Another import of your organisation takes long; send this one again later');
}

type Lease = Parameters<typeof renewUsageImport>[0];

interface Begun {
  readonly state: 'new' | 'resumed' | 'done';
  readonly result: ImportResult | null;
}

/** A version 8 UUID made of the key; its last 12 digits are left for the line, so that a row's id follows from it. */
function importId(org_id: string, key: string): string {
  const hex = createHash('sha256').update(`${org_id}:${key}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(12, 15)}-a${hex.slice(15, 18)}-000000000000`;
}

function hashOf(file_hash: string, options: Options): string {
  const how = [options.format, Object.entries(options.map).sort(), options.model, options.user, options.skip_bad];
  return createHash('sha256').update(file_hash).update(JSON.stringify(how)).digest('hex');
}
