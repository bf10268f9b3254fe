import { Readable } from 'node:stream';
import { maxUsageFileBytes, NetraError, usage, usageImport, usageImportQuery, usageQuery } from '@netra/contract';
import {
  dataCoverage,
  importUsage,
  parseColumnMap,
  usageByDay,
  usageByFeature,
  usageByModel,
  usageByUser,
  usageTotals,
} from '../../analytics/index.ts';
import { requireFeature } from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

const questions = {
  total: usageTotals,
  day: usageByDay,
  model: usageByModel,
  user: usageByUser,
  feature: usageByFeature,
  coverage: dataCoverage,
} as const;

export function usageRoutes(app: NetraApp): void {
  route(app, 'readUsage', {
    query: usageQuery,
    response: usage,
    async handle({ ctx, query: { by, from, to } }) {
      const input = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      const { query, rows } = await questions[by]({ ctx, input });
      return { query, rows: rows.map((row) => ({ ...row })) };
    },
  });

  route(app, 'importUsage', {
    query: usageImportQuery,
    response: usageImport,
    // As long as the server lets a request last: a large file is read while it arrives.
    timeout_ms: 600_000,
    async handle({ ctx, query: { format, map, model, user, skip_bad, synthetic }, idempotency_key: key, request }) {
      if (!(request.body instanceof Readable)) {
        throw new NetraError('unsupported_media_type', 'Send the file as text/csv or application/x-ndjson');
      }
      refuseTooLarge(request.headers['content-length']);
      await requireFeature({ ctx, input: { feature: 'usage_import' } });
      const result = await importUsage({
        ctx,
        input: {
          source: request.body,
          format: format === 'ndjson' ? 'jsonl' : format,
          map: map === undefined ? {} : parseColumnMap(map),
          ...(model === undefined ? {} : { model }),
          ...(user === undefined ? {} : { user }),
          skip_bad,
          synthetic,
          key,
        },
      });
      return { ...result, totals: { ...result.totals, calls: BigInt(result.totals.calls) } };
    },
  });
}

/** Said by its sender to be too large: refused before a byte is read. One that does not say is cut off when it is. */
function refuseTooLarge(content_length: string | undefined): void {
  if (Number(content_length ?? 0) <= maxUsageFileBytes) return;
  throw new NetraError('payload_too_large', 'A usage file has at most 2 GiB: split it.', {
    max_bytes: maxUsageFileBytes,
  });
}
