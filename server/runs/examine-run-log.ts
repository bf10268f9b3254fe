import { adviceOn, enterOrg, examinationLimits, type Advice, type Fault, type Platform } from '../platform/index.ts';
import { checkRunLogStatement, explainRunStatement, type BreachRow, type LogFaultRow } from './sql/examination.ts';

/** A lease this long over means that no node picks up what others drop. */
const stale_ms = 60_000;
/** Runs whose faults are told. */
const maxExplained = 20;

const eventsGone =
  'Restore the newest backup from before that moment beside this database and insert the events that it still has as netra_log; what cannot be found again, say so in the ticket: the run has been charged, and its log is what explains the charge.';
const advice: Readonly<Record<string, Advice>> = {
  log_gap: { means: 'Events in the middle of a log were deleted.', mend: eventsGone },
  log_cut: { means: 'The newest events of a run were deleted, or its row was written by hand.', mend: eventsGone },
  log_beyond: {
    means: 'The log has events that the run does not count: they were written past the functions that append.',
    mend: 'If the run has ended and its receipt is in those events, set last_seq of the run to the highest seq; else delete the events beyond.',
  },
  log_start: {
    means: 'The first event is not agent_started, or there are two: events were written or deleted by hand.',
    mend: eventsGone,
  },
  log_end: {
    means: 'The terminal event and the state of the run do not agree.',
    mend: 'Compare with its hold: settled means that it ended, so set the state and ended_at of the run to what its terminal event says; if the hold is active, set the run to queued, and a node takes it up.',
  },
  run_missing: {
    means: 'Events of a run that has no row: it was deleted.',
    mend: 'Restore the row of the run from a backup. If it is gone for good, its transfers still tell what it cost.',
  },
  lease_stale: {
    means: 'A run is running for a node that is gone, and no node has taken it over.',
    mend: 'Start a node, or look at why the nodes that run take nothing up (`claim` in their logs, NETRA_CAPACITY, their connection to PostgreSQL).',
  },
};

export interface RunLogReport {
  readonly breaches: readonly BreachRow[];
  readonly faults: readonly Fault[];
}

/** R1 and R2 on this installation, or in one organisation, read-only, and where they are broken since when. */
export async function examineRunLog({
  platform,
  input: { org_id },
}: {
  platform: Pick<Platform, 'postgres'>;
  input: { readonly org_id?: string | undefined };
}): Promise<RunLogReport> {
  const breaches = await platform.postgres.inSnapshot(examinationLimits.statement_timeout_ms, async (tx) => {
    if (org_id !== undefined) await tx.rows(enterOrg(org_id));
    return tx.rows<BreachRow>(checkRunLogStatement(stale_ms, org_id === undefined ? 'all' : 'seen'));
  });
  const runs = new Map(breaches.map((breach) => [breach.run_id, breach.org_id]));
  const faults: Fault[] = [];
  for (const [run_id, org_id] of [...runs].slice(0, maxExplained))
    faults.push(...(await explainRun(platform, org_id, run_id)));
  return { breaches, faults };
}

async function explainRun({ postgres }: Pick<Platform, 'postgres'>, org_id: string, run_id: string): Promise<Fault[]> {
  const statement = explainRunStatement(org_id, run_id, stale_ms);
  const rows = await postgres.inOrg(org_id, (tx) => tx.rows<LogFaultRow>(statement));
  return rows.map(({ fault, seq, ...row }) => ({
    ...row,
    invariant: fault === 'lease_stale' ? 'R2' : 'R1',
    fault,
    place: fault.startsWith('log') ? 'netra.event' : 'netra.run',
    key: { org_id, run_id, ...(seq === null ? {} : { seq }) },
    of: rows.filter((other) => other.fault === fault).length,
    ...adviceOn(advice, fault),
  }));
}

export const faultsOfLogs = Object.keys(advice);
