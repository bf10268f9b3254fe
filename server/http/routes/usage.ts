import { Readable } from 'node:stream';
import { maxUsageFileBytes, NetraError, usage, usageImport, usageImportQuery, usageQuery } from '@netra/contract';
import type { z } from 'zod';
import {
  breakDownUsage,
  dataCoverage,
  importUsage,
  parseColumnMap,
  type BreakdownInput,
} from '../../analytics/index.ts';
import { requireFeature } from '../../plans/index.ts';
import type { Ctx } from '../../platform/index.ts';
import { route, type NetraApp } from '../index.ts';

export function usageRoutes(app: NetraApp): void {
  route(app, 'readUsage', {
    query: usageQuery,
    response: usage,
    async handle({ ctx, query: { by, quantiles, ...asked } }) {
      if (by === 'coverage') return { ...(await coverageOf(ctx, asked)), rest: null, next: null };
      const lists = {
        by: by === 'total' ? [] : by.split(','),
        quantiles: quantiles === undefined ? [] : quantiles.split(','),
        ...namesOf(asked),
      };
      const { query, rows, rest, next } = await breakDownUsage({
        ctx,
        input: { ...asked, ...lists } as BreakdownInput,
      });
      return { query, rows: rows.map((row) => ({ ...row })), rest: rest && { ...rest }, next };
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

type Asked = Omit<z.output<typeof usageQuery>, 'by' | 'quantiles'>;

/** A parameter that is given once is a text, one that is given twice a list. */
function namesOf(asked: Asked) {
  const given = (['user', 'agent', 'feature', 'provider', 'model'] as const).flatMap((name) => {
    const value = asked[name];
    return value === undefined ? [] : [[name, typeof value === 'string' ? [value] : value]];
  });
  return Object.fromEntries(given) as Partial<Record<'user' | 'agent' | 'feature' | 'provider' | 'model', string[]>>;
}

/** One row about which columns there are: of a range, and nothing finer. */
async function coverageOf(ctx: Ctx, asked: Asked) {
  const { from, to, source, limit: _limit, ...others } = asked;
  const [odd] = Object.keys(others).filter((name) => others[name as keyof typeof others] !== undefined);
  if (odd !== undefined || source === 'all') {
    throw new NetraError('invalid_request', `${odd ?? 'source'} does not go with by=coverage`);
  }
  const input = { source, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const { query, rows } = await dataCoverage({ ctx, input });
  return { query, rows: rows.map((row) => ({ ...row })) };
}

/** Said by its sender to be too large: refused before a byte is read. One that does not say is cut off when it is. */
function refuseTooLarge(content_length: string | undefined): void {
  if (Number(content_length ?? 0) <= maxUsageFileBytes) return;
  throw new NetraError('payload_too_large', 'A usage file has at most 2 GiB: split it.', {
    max_bytes: maxUsageFileBytes,
  });
}
