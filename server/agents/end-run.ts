import { errorCatalogue, NetraError, reachedLimit, type ErrorCode, type ReachedLimit } from '@netra/contract';
import { planOf, planThatLifts } from '../plans/index.ts';
import { maxEventData_bytes, RunCancelled, type Ending, type Journal, type OutboxRow } from '../runs/index.ts';
import { ModelFailure } from './model-failure.ts';
import type { RunScope } from './run-scope.ts';

/** Stops that are the user's or the plan's: what the log shows as done by then is paid. */
const paid_stops: ReadonlySet<string> = new Set<ErrorCode>([
  'deadline_exceeded',
  'insufficient_credits',
  'spending_cap',
  'budget_reached',
]);
/** Not this worker's to end: the run goes on elsewhere, or here when the database is back. */
const left_to_others: ReadonlySet<ErrorCode> = new Set(['fenced', 'draining', 'unavailable']);

/** Whether a run that stops for this reason goes on, under another lease. */
export function isLeftToOthers(error: unknown): boolean {
  return error instanceof NetraError && left_to_others.has(error.code);
}

/** Room for the receipt beside the output. */
const receipt_bytes = 1024;

/** The agent answered: the whole fee is captured, and the output goes into the terminal event. */
export async function completeRun(scope: RunScope, journal: Journal, text: string): Promise<void> {
  const { agent, conversation, claim, writer } = scope;
  const output = agent.complete({ results: conversation.results, text, input: claim.input });
  // Refused here, where the run can still end with a reason.
  if (Buffer.byteLength(JSON.stringify(output)) > maxEventData_bytes - receipt_bytes) {
    throw new NetraError('payload_too_large', 'The agent’s answer is too large for the log.');
  }
  await journal.finish({
    events: writer.take(),
    event: { type: 'agent_completed', data: { output } },
    capture_micro: claim.fee_micro,
    usage: usageRows(scope),
  });
}

/**
 * Ends a run that could not be completed, or throws again what is not this worker's to end. Of the fee, a run stopped
 * by its user or plan pays the share that its log shows as done; one that failed on our side pays none of it. Tokens
 * were captured call by call and stay paid.
 */
export async function abandonRun(scope: RunScope, journal: Journal, thrown: unknown): Promise<void> {
  // What stopped the run explains the errors that the stop caused.
  const error: unknown = scope.signal.aborted ? scope.signal.reason : thrown;
  if (isLeftToOthers(error)) throw error;
  const event = await endingOf(scope, error);
  const paid = event.type === 'agent_cancelled' || (event.type === 'agent_failed' && paid_stops.has(event.data.code));
  const capture_micro = paid ? earnedFee(scope) : 0n;
  await journal.finish({ events: scope.writer.take(), event, capture_micro, usage: usageRows(scope) });
}

/** The run's own model calls, as its log has them: they are the organisation's LLM usage as well. */
function usageRows({ ctx, claim, conversation }: RunScope): OutboxRow[] {
  const { run_id, user_id, agent } = claim;
  return conversation.charged.map(({ broken_off, ...usage }) => ({
    event_id: ctx.platform.ids.uuid(),
    kind: 'usage',
    payload: { run_id, user_id, agent, ...usage, ...(broken_off ? { status: 'error', error: 'broken off' } : {}) },
  }));
}

/** The fee's share by results in the log, in whole micro-credits, rounded down. */
function earnedFee({ agent, conversation, claim }: Pick<RunScope, 'agent' | 'conversation' | 'claim'>): bigint {
  const results = conversation.results.filter((result) => result.ok).length;
  const expected = Math.max(1, agent.expected_results);
  return (claim.fee_micro * BigInt(Math.min(results, expected))) / BigInt(expected);
}

async function endingOf(scope: RunScope, error: unknown): Promise<Ending> {
  const { ctx, claim } = scope;
  if (error instanceof RunCancelled) return { type: 'agent_cancelled', data: { by: error.by } };
  if (error instanceof NetraError) return failed(error.code, error.message, await limitOf(scope, error));
  if (error instanceof ModelFailure) {
    ctx.platform.log.warn({ run_id: claim.run_id, err: error }, 'model failed');
    return failed('model_failed', error.message);
  }
  ctx.platform.log.error({ run_id: claim.run_id, err: error }, 'run failed');
  return failed('internal', errorCatalogue.internal.title);
}

/** The limit that ended the run, as a refusal at admission would name it; null where it was none. */
async function limitOf({ ctx, claim }: RunScope, error: NetraError): Promise<ReachedLimit | null> {
  const named = reachedLimit.safeParse(error.detail);
  if (named.success) return named.data;
  if (error.code !== 'deadline_exceeded') return null;
  try {
    const { seconds_run } = await planOf({ ctx, input: {} });
    const need = BigInt(seconds_run) + 1n;
    const lifts = await planThatLifts({ platform: ctx.platform, limit: 'seconds_run', need });
    return { limit: 'seconds_run', used: `${seconds_run}`, max: `${seconds_run}`, plan_that_lifts_it: lifts };
  } catch (failure) {
    // It only explains: the run ends either way.
    ctx.platform.log.warn({ run_id: claim.run_id, err: failure }, 'plan not read');
    return null;
  }
}

function failed(code: ErrorCode, message: string, limit: ReachedLimit | null = null): Ending {
  return { type: 'agent_failed', data: { code, message, ...(limit === null ? {} : { limit }) } };
}
