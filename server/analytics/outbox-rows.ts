import { z } from 'zod';

/** What the outbox carries to ClickHouse, by kind. The rooms that write it send these payloads. */
export const outboxPayloads = {
  /** A settled run (M4). Written by netra.end_run. */
  charge: z.object({
    run_id: z.uuid(),
    user_id: z.string(),
    agent: z.string(),
    reason: z.string(),
    state: z.string(),
    amount_micro: z.string().regex(/^\d{1,19}$/),
  }),
  /** One model call of a run. */
  usage: z.object({
    run_id: z.uuid(),
    user_id: z.string(),
    agent: z.string(),
    model: z.string(),
    input_tokens: z.coerce.string(),
    cached_input_tokens: z.coerce.string().default('0'),
    output_tokens: z.coerce.string(),
    cost_usd: z.string(),
    price_book: z.string().default(''),
    status: z.enum(['ok', 'error']).default('ok'),
    error: z.string().default(''),
    latency_ms: z.number().int().nonnegative().optional(),
  }),
  /** A call that another system told of while it happened: a row of `usage` as it is stored. Written by netra.ingest_calls. */
  call: z.looseObject({ at: z.string(), source: z.literal('import'), origin: z.string(), model: z.string() }),
} as const;
export type OutboxKind = keyof typeof outboxPayloads;

export interface OutboxRow {
  readonly batch_id: string;
  readonly org_id: string;
  readonly event_id: string;
  readonly kind: string;
  readonly at: Date;
  readonly payload: unknown;
}

export type StoredRows = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

/** The rows that a batch becomes, by table. Throws a ZodError on a payload that is not what its kind says. */
export function projectBatch(kind: OutboxKind, batch: readonly OutboxRow[]): StoredRows {
  if (kind === 'call') return { usage: batch.map(projectCall) };
  return kind === 'charge' ? projectCharges(batch) : { usage: batch.map(projectUsage) };
}

/** With the call's own time: the outbox has that of its arrival. */
function projectCall({ org_id, event_id, payload }: OutboxRow): Readonly<Record<string, unknown>> {
  return { ...outboxPayloads.call.parse(payload), org_id, event_id };
}

function projectUsage(row: OutboxRow): Readonly<Record<string, unknown>> {
  return { ...common(row), source: 'run', ...outboxPayloads.usage.parse(row.payload) };
}

/** A settled run is a charge, and also an event, something its user did, and a figure: all four under one id. */
function projectCharges(batch: readonly OutboxRow[]): StoredRows {
  const runs = batch.map((row) => ({ ...outboxPayloads.charge.parse(row.payload), ...common(row) }));
  return {
    charge: runs.map(({ org_id, at, event_id, run_id, user_id, agent, reason, amount_micro }) => {
      return { org_id, at, event_id, run_id, user_id, agent, reason, amount_micro };
    }),
    event: runs.map(({ org_id, at, event_id, user_id, run_id, state, agent, amount_micro }) => {
      return {
        org_id,
        at,
        event_id,
        user_id,
        run_id,
        type: `run.${state}`,
        data: JSON.stringify({ agent, amount_micro }),
      };
    }),
    activity: runs.map(({ org_id, at, event_id, user_id, run_id, agent, state }) => {
      return { org_id, at, event_id, user_id, run_id, action: 'run', data: JSON.stringify({ agent, state }) };
    }),
    metric: runs.map(({ org_id, at, event_id, user_id, run_id, amount_micro: value }) => {
      return { org_id, at, event_id, user_id, run_id, name: 'run.spent_micro', value };
    }),
  };
}

function common({ org_id, event_id, at }: OutboxRow) {
  return { org_id, event_id, at: at.toISOString().replace('T', ' ').replace('Z', '') };
}
