/** ClickHouse: usage goes in by file and by outbox; questions about it come back with the query that answers them. */
export { breakDownUsage, type Breakdown, type BreakdownInput } from './break-down-usage.ts';
export * from './check-settled.ts';
export { faultsOfCharges } from './explain-settled.ts';
export type {
  Activity,
  EventFact,
  FactScope,
  Metric,
  MetricSummary,
  NewActivity,
  NewEventFact,
  NewMetric,
  RecordResult,
} from './facts.ts';
export * from './find-waste.ts';
export { forgetUsage, listUsageRetentions, setUsageRetention } from './forget-usage.ts';
export { generateSample, type Planted, type PlantedKind, type Sample, type SampleManifest } from './generate-sample.ts';
export { ingestTraces, maxTraceBytes, type IngestedTraces } from './ingest-traces.ts';
export { encodeResponse as encodeTraceResponse } from './otlp/decode-protobuf.ts';
export { importUsage, type UsageImport } from './import-usage.ts';
export { parseColumnMap } from './parse-column-map.ts';
export { pumpOutbox } from './pump-outbox.ts';
export { reconcileCharges } from './reconcile-charges.ts';
export { watchOutbox } from './watch-outbox.ts';
export { outboxPayloads, type OutboxKind } from './outbox-rows.ts';
export * from './read-facts.ts';
export * from './read-usage.ts';
export * from './record-facts.ts';
export * from './schemas.ts';
export type * from './waste-rows.ts';
