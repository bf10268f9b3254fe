import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { NetraError } from '@netra/contract';
import { currentPrices } from '../billing/index.ts';
import { oneRow, type Ctx } from '../platform/index.ts';
import { checkRow, type CheckedRow } from './check-row.ts';
import { callOfSpan } from './otlp/call-of-span.ts';
import { decodeJson } from './otlp/decode-json.ts';
import { decodeProtobuf } from './otlp/decode-protobuf.ts';
import type { Span } from './otlp/spans.ts';
import { ratingBy } from './rate-call.ts';
import { usageColumns } from './schemas.ts';
import { ingestCalls } from './sql/ingested-calls.ts';

/** The largest request, as it is sent and unpacked: collectors send a few MB. */
export const maxTraceBytes = 8 * 1024 * 1024;
const maxUnpackedBytes = 32 * 1024 * 1024;
/** Beyond so many rows of an organisation on their way to ClickHouse its senders are asked to wait. */
const maxWaiting = 200_000;
const unpack = promisify(gunzip);

export interface TraceUpload {
  readonly body: Uint8Array;
  readonly encoding: 'json' | 'protobuf';
  readonly gzip: boolean;
}

export interface IngestedTraces {
  /** Calls kept now. Those that were kept before are neither kept again nor rejected. */
  readonly kept: number;
  /** Spans that are no calls of a model: taken, and not kept. */
  readonly other: number;
  readonly rejected: number;
  /** Why the first of the rejected was; '' if none was. */
  readonly message: string;
}

/**
 * Takes an OTLP export of traces: spans of model calls become usage, each once by its trace and span id, however often
 * it is sent in a week. Answered = durable: rows leave for ClickHouse from the same transaction on. One bad span does
 * not hold up the others.
 *
 * Throws invalid_request (not OTLP), payload_too_large, unavailable (too much waits for ClickHouse; to be sent again),
 * forbidden (viewers).
 */
export async function ingestTraces({ ctx, input }: { ctx: Ctx; input: TraceUpload }): Promise<IngestedTraces> {
  if (ctx.principal.role === 'viewer') throw new NetraError('forbidden', 'Viewers cannot send traces');
  const { platform, principal } = ctx;
  const spans = decode(await unpacked(input), input.encoding);
  const { rate } = ratingBy(await currentPrices(platform), new Date(platform.clock.nowMs()));
  const rules = { model: undefined, user: undefined, rate };
  const calls: { readonly event_id: string; readonly row: unknown }[] = [];
  let [other, rejected, message] = [0, 0, ''];
  for (const span of spans) {
    const call = callOfSpan(span);
    if (call === undefined) {
      other += 1;
      continue;
    }
    const row =
      typeof call === 'string'
        ? call
        : checkRow(
            usageColumns.map((column) => call[column] ?? ''),
            rules,
          );
    if (typeof row === 'string') {
      rejected += 1;
      if (message === '') message = `span ${span.span_id.slice(0, 32)}: ${row}`;
    } else calls.push({ event_id: eventId(span), row: storedRow(row) });
  }
  const kept = calls.length === 0 ? 0 : await keep(ctx, principal.org_id, calls);
  return { kept, other, rejected, message };
}

async function keep({ platform }: Ctx, org_id: string, calls: readonly unknown[]): Promise<number> {
  const rows = await platform.postgres.call<{ kept: number }>(ingestCalls(org_id, JSON.stringify(calls), maxWaiting));
  return oneRow(rows).kept;
}

async function unpacked({ body, gzip }: TraceUpload): Promise<Uint8Array> {
  if (!gzip) return body;
  try {
    return await unpack(body, { maxOutputLength: maxUnpackedBytes });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code !== 'ERR_BUFFER_TOO_LARGE') throw new NetraError('invalid_request', 'The body is not valid gzip');
    throw new NetraError('payload_too_large', `The body has more than ${maxUnpackedBytes} bytes unpacked`, {
      max_bytes: maxUnpackedBytes,
    });
  }
}

function decode(bytes: Uint8Array, encoding: 'json' | 'protobuf'): readonly Span[] {
  try {
    return encoding === 'json' ? decodeJson(bytes) : decodeProtobuf(bytes);
  } catch (error) {
    if (error instanceof NetraError) throw error;
    throw new NetraError('invalid_request', `The body is no ExportTraceServiceRequest in ${encoding}`);
  }
}

/** A version 8 UUID of the span: whoever sends it again, it is the same call. */
function eventId({ trace_id, span_id }: Span): string {
  const hex = createHash('sha256').update(`otlp:${trace_id}:${span_id}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function storedRow({ call, ...row }: CheckedRow): Readonly<Record<string, unknown>> {
  const flags = { batch: call?.batch === 'true', streamed: call?.streamed === 'true' };
  return { ...row, ...call, ...flags, source: 'import', origin: 'otlp' };
}
