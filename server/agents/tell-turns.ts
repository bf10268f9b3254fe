import type { Platform } from '../platform/index.ts';
import { nodeOf } from '../runs/index.ts';

/** Where a run that did not begin here has come to stand. */
export interface Turn {
  readonly state: string;
  /** The run that it waits behind. */
  readonly behind: string | null;
  /** Runs that were cancelled for it. */
  readonly interrupted: readonly string[];
}

/** Tells who can do something about it: the queue's workers, whoever works on the run before it, or on those cancelled. */
export function tellTurn(platform: Platform, by: string, { state, behind, interrupted }: Turn): void {
  const node = nodeOf(platform);
  if (state === 'queued') {
    node.worker?.queued();
    node.hint({ kind: 'queued' });
  }
  if (behind !== null) {
    node.worker?.followed(behind);
    node.hint({ kind: 'followed', run: behind });
  }
  for (const run of interrupted) {
    node.worker?.cancelRequested(run, by);
    node.feed.wake(run);
    node.hint({ kind: 'cancel', run, by });
  }
  if (interrupted.length > 0) node.hint({ kind: 'moved', runs: interrupted });
}
