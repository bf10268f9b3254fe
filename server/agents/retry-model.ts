import { APICallError } from '@ai-sdk/provider';
import { setTimeout as sleep } from 'node:timers/promises';
import { max_broken_answers } from './define-agent.ts';
import { describeModelError, isRetryableModelError, ModelFailure } from './model-failure.ts';
import type { RunScope } from './run-scope.ts';

const max_attempts = 4;
const first_backoff_ms = 250;
/** A run keeps its worker's place while it waits: an endpoint that asks for more has failed. */
const max_wait_ms = 60_000;

/**
 * Waits before a failed model call is made again: as long as the endpoint asks for (RFC 9110 §10.2.3), else exponential
 * backoff with full jitter. Throws the failure where another attempt would not help, has been made too often, or would
 * come after the run's deadline.
 */
export async function waitToRetry(scope: RunScope, attempt: number, error: unknown): Promise<void> {
  const { ctx, claim, conversation, signal } = scope;
  const { platform } = ctx;
  const failure = new ModelFailure(describeModelError(error), false, { cause: error });
  if (attempt >= max_attempts || conversation.broken >= max_broken_answers) throw failure;
  if (!isRetryableModelError(error)) throw failure;
  const jitter_ms = first_backoff_ms * 2 ** (attempt - 1) * platform.random();
  const wait_ms = (askedToWait_ms(error, platform.clock.nowMs()) ?? 0) + jitter_ms;
  // The deadline itself is kept by the worker, in database time: this only saves a wait that could not help.
  const left_ms = (claim.deadline_at?.getTime() ?? Infinity) - platform.clock.nowMs();
  if (wait_ms > Math.min(left_ms, max_wait_ms)) throw failure;
  platform.log.warn({ run_id: claim.run_id, attempt, wait_ms, err: error }, 'model call failed, made again');
  await sleep(wait_ms, undefined, { signal });
}

/** What `Retry-After` says, as seconds or as a date, or the finer `retry-after-ms`; null if it says nothing. */
function askedToWait_ms(error: unknown, now_ms: number): number | null {
  if (!APICallError.isInstance(error)) return null;
  const { 'retry-after-ms': ms, 'retry-after': after } = error.responseHeaders ?? {};
  if (ms !== undefined && /^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  if (after === undefined) return null;
  const wait_ms = /^\d+$/.test(after) ? Number(after) * 1_000 : Date.parse(after) - now_ms;
  return Number.isNaN(wait_ms) ? null : Math.max(0, wait_ms);
}
