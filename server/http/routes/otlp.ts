import { Readable } from 'node:stream';
import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { encodeTraceResponse, ingestTraces, maxTraceBytes } from '../../analytics/index.ts';
import { requireFeature } from '../../plans/index.ts';
import { route, type NetraApp } from '../index.ts';

/** ExportTraceServiceResponse (opentelemetry-proto, collector/trace/v1): 64-bit integers are text in OTLP/JSON. */
const exported = z.object({
  partialSuccess: z.object({ rejectedSpans: z.string(), errorMessage: z.string() }).optional(),
});

/**
 * OTLP/HTTP (opentelemetry.io/docs/specs/otlp): `OTEL_EXPORTER_OTLP_ENDPOINT=<base>/v1/otlp`. An exporter tries again
 * after 429 and 503, which say when, and after no other refusal.
 */
export function otlpRoutes(app: NetraApp): void {
  route(app, 'ingestTraces', {
    rawJson: true,
    bodyLimit: maxTraceBytes,
    response: exported,
    async handle({ ctx, request, reply }) {
      const body = await bytesOf(request.body);
      await requireFeature({ ctx, input: { feature: 'usage_import' } });
      const encoding = request.body instanceof Readable ? 'protobuf' : 'json';
      const gzip = isGzip(request.headers['content-encoding']);
      const { rejected, message } = await ingestTraces({ ctx, input: { body, encoding, gzip } });
      if (encoding === 'protobuf') {
        // Bytes are sent as they are; the schema is for JSON.
        await reply.type('application/x-protobuf').send(Buffer.from(encodeTraceResponse(rejected, message)));
        return undefined;
      }
      return rejected === 0 ? {} : { partialSuccess: { rejectedSpans: String(rejected), errorMessage: message } };
    },
  });
}

async function bytesOf(body: unknown): Promise<Uint8Array> {
  if (Buffer.isBuffer(body)) return body;
  if (!(body instanceof Readable)) throw new NetraError('invalid_request', 'The body is empty; send OTLP');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxTraceBytes)
      throw new NetraError('payload_too_large', 'Send smaller batches', { max_bytes: maxTraceBytes });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isGzip(encoding: string | undefined): boolean {
  if (encoding === undefined || encoding === 'identity') return false;
  if (encoding === 'gzip') return true;
  throw new NetraError('unsupported_media_type', 'The body may be packed with gzip, and with nothing else');
}
