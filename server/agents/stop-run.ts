import { NetraError } from '@netra/contract';
import type { Claim } from '../runs/index.ts';

export interface Stop {
  /** Aborts with the worker's signal, at the deadline, or by `abort`. */
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Ends the listening and the timer. */
  clear(): void;
}

/** Joins everything that can end a run's work early into one signal; its reason says what it was. */
export function stopWith(signal: AbortSignal, claim: Pick<Claim, 'deadline_in_ms'>): Stop {
  const controller = new AbortController();
  const abort = (reason: unknown): void => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const follow = (): void => abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  const deadline = armDeadline(claim.deadline_in_ms, abort);
  return {
    signal: controller.signal,
    abort,
    clear() {
      signal.removeEventListener('abort', follow);
      if (deadline !== null) clearTimeout(deadline);
    },
  };
}

function armDeadline(in_ms: number | null, abort: (reason: unknown) => void): NodeJS.Timeout | null {
  if (in_ms === null) return null;
  const passed = (): void =>
    abort(new NetraError('deadline_exceeded', 'The run took longer than the plan allows and was stopped.'));
  if (in_ms > 0) return setTimeout(passed, in_ms);
  passed();
  return null;
}
