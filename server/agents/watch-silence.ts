import { ModelFailure } from './model-failure.ts';

export interface SilenceWatch {
  /** Aborts with the run's own signal, or with a ModelFailure once the model has been silent for too long. */
  readonly signal: AbortSignal;
  /** It said something. */
  heard(): void;
  stop(): void;
}

/**
 * A model call may last as long as it goes on saying something: the time is that between two parts, not that of the
 * answer. A connection that is open and dead ends by this alone.
 */
export function watchSilence(run: AbortSignal, silence_ms: number): SilenceWatch {
  const silent = new AbortController();
  const timer = setTimeout(() => {
    silent.abort(new ModelFailure(`the model said nothing for ${silence_ms} ms`, true));
  }, silence_ms);
  return {
    signal: AbortSignal.any([run, silent.signal]),
    heard: () => void timer.refresh(),
    stop: () => clearTimeout(timer),
  };
}
