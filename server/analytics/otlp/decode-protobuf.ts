import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { NetraError } from '@netra/contract';
import { maxSpans, type Attributes, type AttributeValue, type Span } from './spans.ts';

/**
 * An ExportTraceServiceRequest in protobuf. Field numbers: opentelemetry-proto v1, collector/trace/v1, trace/v1,
 * common/v1 and resource/v1. What is not asked for is skipped. Throws a RangeError or an Error where it is none.
 */
export function decodeProtobuf(bytes: Uint8Array): readonly Span[] {
  const spans: Span[] = [];
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false;
    readResourceSpans(reader.bytes(), spans);
    return true;
  });
  return spans;
}

/** ExportTraceServiceResponse; empty where all was taken. */
export function encodeResponse(rejected: number, message: string): Uint8Array {
  const writer = new BinaryWriter();
  if (message === '') return writer.finish();
  return writer
    .tag(1, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.Varint)
    .int64(rejected)
    .tag(2, WireType.LengthDelimited)
    .string(message)
    .join()
    .finish();
}

/** Calls `read` for each field; it says whether it has read it. */
function eachField(bytes: Uint8Array, read: (field: number, reader: BinaryReader, wire: WireType) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (!read(field, reader, wire)) reader.skip(wire, field);
  }
}

function readResourceSpans(bytes: Uint8Array, spans: Span[]): void {
  const resource = new Map<string, AttributeValue>();
  const scopes: Uint8Array[] = [];
  eachField(bytes, (field, reader) => {
    if (field === 1) eachField(reader.bytes(), (inner, of) => inner === 1 && readAttribute(of.bytes(), resource));
    else if (field === 2) scopes.push(reader.bytes());
    else return false;
    return true;
  });
  for (const scope of scopes) {
    eachField(scope, (field, reader) => {
      if (field !== 2) return false;
      if (spans.length >= maxSpans)
        throw new NetraError('payload_too_large', `A request has at most ${maxSpans} spans`, { max_spans: maxSpans });
      spans.push(readSpan(reader.bytes(), resource));
      return true;
    });
  }
}

function readSpan(bytes: Uint8Array, resource: Attributes): Span {
  const attributes = new Map<string, AttributeValue>();
  const span = { trace_id: '', span_id: '', parent_span_id: '', start_ns: 0n, end_ns: 0n, failed: false };
  eachField(bytes, (field, reader) => {
    if (field === 1) span.trace_id = hex(reader.bytes());
    else if (field === 2) span.span_id = hex(reader.bytes());
    else if (field === 4) span.parent_span_id = hex(reader.bytes());
    else if (field === 7) span.start_ns = BigInt(reader.fixed64());
    else if (field === 8) span.end_ns = BigInt(reader.fixed64());
    else if (field === 9) readAttribute(reader.bytes(), attributes);
    else if (field === 15) span.failed = readFailed(reader.bytes());
    else return false;
    return true;
  });
  return { ...span, attributes, resource };
}

function readFailed(bytes: Uint8Array): boolean {
  let code = 0;
  eachField(bytes, (field, reader) => {
    if (field !== 3) return false;
    code = reader.int32();
    return true;
  });
  return code === 2;
}

function readAttribute(bytes: Uint8Array, into: Map<string, AttributeValue>): true {
  let key = '';
  let value: AttributeValue | undefined;
  eachField(bytes, (field, reader) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = readValue(reader.bytes());
    else return false;
    return true;
  });
  if (value !== undefined) into.set(key, value);
  return true;
}

/** AnyValue; of lists the texts, one deep. Maps and bytes say nothing of a call. */
function readValue(bytes: Uint8Array, inList = false): AttributeValue | undefined {
  let value: AttributeValue | undefined;
  eachField(bytes, (field, reader) => {
    if (field === 1) value = reader.string();
    else if (field === 2) value = reader.bool();
    else if (field === 3) value = Number(reader.int64());
    else if (field === 4) value = reader.double();
    else if (field === 5 && !inList) value = readTexts(reader.bytes());
    else return false;
    return true;
  });
  return value;
}

function readTexts(bytes: Uint8Array): readonly string[] {
  const texts: string[] = [];
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false;
    const value = readValue(reader.bytes(), true);
    if (typeof value === 'string') texts.push(value);
    return true;
  });
  return texts;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
