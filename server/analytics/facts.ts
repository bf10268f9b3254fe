import { z } from 'zod';
import { parseTime } from './usage-time.ts';

/**
 * Events, activities and metrics: what happened, what a user did, and a figure. Each has an id of the sender's, so
 * that sending it again changes nothing.
 */
const time = z
  .string()
  .max(40)
  .refine((text) => parseTime(text) !== undefined, 'must be a time in ISO 8601');
const common = {
  event_id: z.uuid(),
  /** Kept to the microsecond. */
  at: time,
  user_id: z.string().max(200).default(''),
  run_id: z.uuid().optional(),
};
const name = z.string().regex(/^[a-z][a-z0-9_.:-]{0,99}$/, 'must be lower case letters, digits and . _ : -');
const data = z.record(z.string(), z.unknown()).default({});
/** Decimal(38, 12) holds 26 digits before the point and 12 after it. */
const exact = z.string().regex(/^-?\d{1,26}(\.\d{1,12})?$/, 'must be a decimal with at most 12 places, as a string');

export const factSchemas = {
  event: z.strictObject({ ...common, type: name, data }),
  activity: z.strictObject({ ...common, user_id: z.string().min(1).max(200), action: name, data }),
  metric: z.strictObject({ ...common, name, value: exact }),
} as const;
export type FactKind = keyof typeof factSchemas;

export type NewEventFact = z.input<typeof factSchemas.event>;
export type NewActivity = z.input<typeof factSchemas.activity>;
export type NewMetric = z.input<typeof factSchemas.metric>;

/** A batch's fate: each row is exactly one of these. */
export interface RecordResult {
  readonly inserted: number;
  /** Rows that are there already, and rows that the batch itself has twice. */
  readonly duplicates: number;
  readonly rejected: number;
  /** The first 100 rejected rows, by their place in the batch from 0. */
  readonly errors: readonly { readonly row: number; readonly message: string }[];
}

/** Part of an organisation's facts. `from` is included, `to` is not. Newest first. */
export const factScope = z.strictObject({
  kind: name.optional(),
  user_id: z.string().max(200).optional(),
  run_id: z.uuid().optional(),
  from: time.optional(),
  to: time.optional(),
  limit: z.int().min(1).max(10_000).default(1000),
});
export type FactScope = z.input<typeof factScope>;

interface Fact {
  readonly event_id: string;
  /** UTC, `YYYY-MM-DD HH:MM:SS.ffffff`. */
  readonly at: string;
  readonly user_id: string;
  /** Null if the fact belongs to no run. */
  readonly run_id: string | null;
}
export type EventFact = Fact & { readonly type: string; readonly data: unknown };
export type Activity = Fact & { readonly action: string; readonly data: unknown };
export type Metric = Fact & { readonly name: string; readonly value: string };

/** Exact but for the quantiles, which are those of the values themselves (`quantileExact`). */
export interface MetricSummary {
  readonly count: number;
  readonly sum: string;
  /** Null without values; cut to 12 places. */
  readonly avg: string | null;
  readonly min: string | null;
  readonly max: string | null;
  readonly p50: string | null;
  readonly p95: string | null;
  readonly p99: string | null;
}
