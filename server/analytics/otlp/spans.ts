export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = ReadonlyMap<string, AttributeValue>;

/** What of a span (opentelemetry-proto, trace/v1/trace.proto) says something of a model call. Ids are hex, lower case. */
export interface Span {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  readonly start_ns: bigint;
  readonly end_ns: bigint;
  readonly attributes: Attributes;
  readonly failed: boolean;
  /** Of the resource: what is the same for all its spans. */
  readonly resource: Attributes;
}

/** More than any exporter batches; each is checked and priced. */
export const maxSpans = 20_000;
