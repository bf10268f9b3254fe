import type { Statement } from '../../platform/index.ts';

export interface CutRow {
  readonly orgs: number;
  readonly events: number;
}

/** One bounded batch, in a transaction of its own. */
export function cutEventsStatement(orgs: number, events: number): Statement {
  return { text: 'select orgs, events from netra.cut_events($1, $2)', values: [orgs, events] };
}

/** How long the events of runs are kept on a plan, from a moment on; `event_days` null = for ever. */
export interface RetentionRow {
  readonly plan_id: string;
  readonly valid_from: Date;
  readonly event_days: number | null;
  readonly changed_by: string;
  readonly changed_at: Date;
}

export function selectRetentions(): Statement {
  return {
    text: `select plan_id, valid_from, event_days, changed_by, changed_at from netra.plan_retention
      order by plan_id, valid_from`,
    values: [],
  };
}

export function setRetentionStatement(retention: {
  readonly by: string;
  readonly plan: string;
  readonly from: Date | null;
  readonly event_days: number | null;
}): Statement {
  const { by, plan, from, event_days } = retention;
  return { text: 'select netra.set_retention($1, $2, $3, $4) as valid_from', values: [by, plan, from, event_days] };
}
