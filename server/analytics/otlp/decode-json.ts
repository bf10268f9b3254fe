import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { maxSpans, type AttributeValue, type Span } from './spans.ts';

/** OTLP/JSON writes 64-bit integers as text or as numbers, and ids as hex (opentelemetry.io/docs/specs/otlp, JSON). */
const integer = z.union([z.string().regex(/^\d{1,20}$/), z.int().nonnegative()]).transform(BigInt);
const anyValue = z.looseObject({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.union([z.string(), z.number()]).optional(),
  doubleValue: z.union([z.number(), z.string()]).optional(),
  arrayValue: z
    .looseObject({ values: z.array(z.looseObject({ stringValue: z.string().optional() })).optional() })
    .optional(),
});
const attributes = z.array(z.looseObject({ key: z.string(), value: anyValue.nullish() })).nullish();
const id = z.string().transform((text) => text.toLowerCase());
const span = z.looseObject({
  traceId: id.default(''),
  spanId: id.default(''),
  parentSpanId: id.nullish(),
  startTimeUnixNano: integer.default(0n),
  endTimeUnixNano: integer.default(0n),
  attributes,
  status: z.looseObject({ code: z.union([z.number(), z.string()]).nullish() }).nullish(),
});
const request = z.looseObject({
  resourceSpans: z
    .array(
      z.looseObject({
        resource: z.looseObject({ attributes }).nullish(),
        scopeSpans: z.array(z.looseObject({ spans: z.array(span).nullish() })).nullish(),
      }),
    )
    .nullish(),
});

/** An ExportTraceServiceRequest in JSON. Throws a SyntaxError or a ZodError where it is none. */
export function decodeJson(bytes: Uint8Array): readonly Span[] {
  const { resourceSpans } = request.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  const spans = (resourceSpans ?? []).flatMap(({ resource, scopeSpans }) => {
    const common = attributesOf(resource?.attributes);
    return (scopeSpans ?? []).flatMap((scope) => (scope.spans ?? []).map((one): Span => spanOf(one, common)));
  });
  if (spans.length <= maxSpans) return spans;
  throw new NetraError('payload_too_large', `A request has at most ${maxSpans} spans`, { max_spans: maxSpans });
}

function spanOf(one: z.output<typeof span>, resource: Span['resource']): Span {
  return {
    trace_id: one.traceId,
    span_id: one.spanId,
    parent_span_id: one.parentSpanId ?? '',
    start_ns: one.startTimeUnixNano,
    end_ns: one.endTimeUnixNano,
    attributes: attributesOf(one.attributes),
    failed: one.status?.code === 2 || one.status?.code === 'STATUS_CODE_ERROR',
    resource,
  };
}

function attributesOf(list: z.output<typeof attributes>): Map<string, AttributeValue> {
  const found = new Map<string, AttributeValue>();
  for (const { key, value } of list ?? []) {
    const known = valueOf(value);
    if (known !== undefined) found.set(key, known);
  }
  return found;
}

function valueOf(value: z.output<typeof anyValue> | null | undefined): AttributeValue | undefined {
  if (value?.intValue !== undefined) return Number(value.intValue);
  if (value?.doubleValue !== undefined) return Number(value.doubleValue);
  const texts = value?.arrayValue?.values?.flatMap((item) => item.stringValue ?? []);
  return value?.stringValue ?? value?.boolValue ?? texts;
}
