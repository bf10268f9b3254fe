import { z } from 'zod';
import { pageQuery } from './rest.ts';

const at = z.iso.datetime();
const signedMicro = z.string().regex(/^(0|-?[1-9]\d*)$/);

/** From `from` on, before `to`; all there is where they are absent. */
const range = z.object({ from: at.optional(), to: at.optional() });

export const statementQuery = pageQuery.extend({
  by: z.enum(['organisation', 'user', 'agent', 'model', 'day']).default('organisation'),
  ...range.shape,
});
export type StatementQuery = z.input<typeof statementQuery>;

/** `spent_micro` = `fee_micro` + `model_micro` − `refunded_micro`, exactly. */
const figures = z.object({
  /** What agents cost beside the model. */
  fee_micro: signedMicro,
  model_micro: signedMicro,
  refunded_micro: signedMicro,
  spent_micro: signedMicro,
});

/** What was spent, read off the ledger. `total` is of the whole range, on each page; all lines add up to it. */
export const statement = z.object({
  by: z.string(),
  from: at.nullable(),
  to: at,
  total: figures,
  /** `of` is the user, agent, model or UTC day; null for what has none, as the fee of a run has no model. */
  items: z.array(figures.extend({ of: z.string().nullable() })),
  next: z.string().nullable(),
});

export const statementExportQuery = range.extend({ format: z.enum(['csv', 'ndjson']) });
