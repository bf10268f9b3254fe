import type { Statement } from '../../platform/index.ts';

export interface QuoteRow {
  readonly fee_micro: bigint;
  readonly balance_micro: bigint;
  /** What the line beyond the credits still has; null = no limit. */
  readonly line_micro: bigint | null;
  /** What the caps still allow; null = no cap. */
  readonly cap_left_micro: bigint | null;
  readonly past_runs: number;
  /** Of the model's cost in past runs; null without any. */
  readonly model_median_micro: bigint | null;
}

export function quoteRunStatement(org_id: string, user_id: string, agent: string, model: string | null): Statement {
  return {
    name: 'agents.quote_run',
    text: `select fee_micro, balance_micro, line_micro, cap_left_micro, past_runs, model_median_micro
             from netra.quote_run($1, $2, $3, $4)`,
    values: [org_id, user_id, agent, model],
  };
}
