import { z } from 'zod';

/**
 * What analytics verbs take and give. Counts of tokens (UInt64) and money (Decimal) are strings, exact; `calls` and
 * ratios are numbers. Times are UTC, `YYYY-MM-DD HH:MM:SS.fffffff`, the way ClickHouse writes them.
 */

/** Part of the organisation's usage. `from` is included, `to` is not; nothing given = everything there is. */
export const usageScope = z.object({
  /** Calls that files brought in (`import`, unless said otherwise), or that runs of agents here made. */
  source: z.enum(['import', 'run']).default('import'),
  from: z.string().max(40).optional(),
  to: z.string().max(40).optional(),
  model: z.string().max(200).optional(),
  feature: z.string().max(200).optional(),
  user_id: z.string().max(200).optional(),
  /** Rows at most; each query has its own default. */
  limit: z.int().min(1).max(1000).optional(),
});
export type UsageScope = z.input<typeof usageScope>;

/** What was asked, so that any reader can ask it again: `params` are bound, never pasted into `text`. */
export interface NamedQuery {
  readonly name: string;
  readonly text: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An answer with its question. Every figure in a report names such a query. */
export interface Answer<Row> {
  readonly query: NamedQuery;
  readonly rows: readonly Row[];
}

/** The measures that every grouping has. */
export interface UsageMeasures {
  readonly calls: number;
  readonly errors: number;
  readonly input_tokens: string;
  readonly cached_input_tokens: string;
  readonly output_tokens: string;
  readonly cost_usd: string;
}

/** `first_at`, `last_at` are null when there are no calls. */
export type TotalsRow = UsageMeasures & { readonly first_at: string | null; readonly last_at: string | null };
export type DayRow = UsageMeasures & { readonly day: string };
export type ModelRow = UsageMeasures & {
  readonly model: string;
  readonly avg_input_tokens: number;
  readonly avg_output_tokens: number;
};
export type UserRow = UsageMeasures & {
  readonly user_id: string;
  /** This user's cost beside the median user's. */
  readonly times_median_cost: number;
  readonly median_cost_usd: string;
};
export type FeatureRow = UsageMeasures & {
  readonly feature: string;
  readonly models: readonly string[];
  readonly users: number;
};

/** Which questions the data can answer: 0 rows with a column = the column is not there. */
export interface CoverageRow {
  readonly rows: number;
  readonly days: number;
  readonly first_at: string | null;
  readonly last_at: string | null;
  /** Days from the first call to the last, with fractions: what a figure is multiplied with to make a month. */
  readonly span_days: number;
  readonly with_model: number;
  readonly with_user: number;
  readonly with_feature: number;
  readonly with_prompt_hash: number;
  readonly with_prefix_hash: number;
  readonly with_cached: number;
  readonly with_latency: number;
  readonly with_error: number;
  readonly with_retry_of: number;
  readonly with_cost: number;
  readonly synthetic: number;
}

/** What tells more of a call than a plain file does; by the OpenTelemetry conventions for GenAI, in our names. */
export const callColumns = [
  'provider',
  'response_model',
  'operation',
  'cache_write_tokens',
  'reasoning_tokens',
  'first_token_ms',
  'max_output_tokens',
  'finish_reason',
  'batch',
  'streamed',
  'service_tier',
  'service',
  'conversation_id',
  'trace_id',
  'span_id',
  'parent_span_id',
] as const;

/** What a usage file may carry, by our names. `time`, `input_tokens` and `output_tokens` must be there. */
export const plainColumns = [
  'time',
  'user',
  'agent',
  'feature',
  'model',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'cost_usd',
  'status',
  'error',
  'latency_ms',
  'request_id',
  'prompt_hash',
  'prefix_hash',
  'prefix_tokens',
  'retry_of',
] as const;

/** All of them, in the order of a record's values. */
export const usageColumns = [...plainColumns, ...callColumns] as const;
export type UsageColumn = (typeof usageColumns)[number];

/** What a file may turn out to be; not all of it can be imported. */
export type FileFormat = 'csv' | 'jsonl' | 'parquet' | 'litellm' | 'langfuse' | 'openai' | 'anthropic';

export const importOptions = z.object({
  /** `auto`: told from the file's beginning; the answer says which. */
  format: z.enum(['auto', 'csv', 'jsonl', 'litellm', 'langfuse']),
  /** Our column → the file's column, e.g. `{ time: 'TIMESTAMP' }`. Columns not named here go by their own name. */
  map: z.partialRecord(z.enum(usageColumns), z.string().min(1).max(200)).default({}),
  /** Constants for files without such a column. */
  model: z.string().min(1).max(200).optional(),
  user: z.string().min(1).max(200).optional(),
  /** Keep the good rows of a file that has bad ones. Without it one bad row means that nothing is kept. */
  skip_bad: z.boolean().default(false),
  /** The import's idempotency key: the same key and file again adds nothing and reports duplicates. */
  key: z.string().min(1).max(255),
  /** True for generated data: it is called synthetic wherever it shows. */
  synthetic: z.boolean().default(false),
});
export type ImportOptions = z.input<typeof importOptions>;

export interface RowError {
  /** Line in the file, from 1; the header of a CSV is line 1. */
  readonly line: number;
  readonly message: string;
}

export interface ImportResult {
  readonly import_id: string;
  /** As it was asked for, or as it was found where `auto` was. */
  readonly format: string;
  /** Records that are no calls of a language model: other spans of a trace, images, tools. */
  readonly skipped: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly duplicates: number;
  /** The first 100; `rejected` counts all. */
  readonly errors: readonly RowError[];
  /** Of the file's good rows, whether they were kept now or before. */
  readonly totals: {
    readonly calls: number;
    readonly input_tokens: string;
    readonly cached_input_tokens: string;
    readonly output_tokens: string;
    readonly cost_usd: string;
  };
}
