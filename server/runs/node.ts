import type { Platform } from '../platform/index.ts';
import type { Claim } from './claim.ts';
import { Feed } from './feed.ts';
import type { GroupCall } from './group-call.ts';
import { groupFinishes } from './group-finishes.ts';
import type { Journal } from './journal.ts';
import { LogWriter } from './log-writer.ts';
import type { FinishArguments, FinishedRow } from './sql/run.ts';
import { QuietWatch } from './watch-quiet.ts';

/** A place at this node's worker, held while a run is being admitted. Ends with exactly one of the two calls. */
export interface Seat {
  take(claim: Claim): void;
  leave(): void;
}

/** The worker of this process, as admission sees it. */
export interface LocalWorker {
  /** null = no room, or going away: the run is queued and any node takes it. */
  reserve(): Seat | null;
  /** A cancel request was committed for this run, perhaps one of ours. */
  cancelRequested(run_id: string, by: string): void;
  /** The queue has something new. */
  queued(): void;
  /** Another run waits behind this one, perhaps one of ours: the queue is worth a look when it ends. */
  followed(run_id: string): void;
}

/** What the runs room keeps for one node (one Platform): never shared, so two nodes can live in one process. */
export interface RunsNode {
  readonly feed: Feed;
  /** Wakes readers of runs that other nodes work on, where a hint was lost. */
  readonly quiet: QuietWatch;
  readonly writer: LogWriter;
  readonly finishes: GroupCall<FinishArguments, FinishedRow>;
  worker: LocalWorker | null;
  /** Journals open on this node, by lease token: how a worker knows what became of a run that it executed. */
  readonly journals: Map<string, Journal>;
  readonly hint: (hint: Hint) => void;
}

/** Sent to the other nodes after a commit. May be lost: readers look into the log when it is quiet. */
export type Hint =
  | { readonly kind: 'moved'; readonly runs: readonly string[] }
  | { readonly kind: 'cancel'; readonly run: string; readonly by: string }
  | { readonly kind: 'followed'; readonly run: string }
  | { readonly kind: 'queued' };

/** One channel for all: a message per flush, not per run; receivers look up who waits here for the run. */
const hintChannel = 'netra:runs';

const nodes = new WeakMap<Platform, RunsNode>();

export function nodeOf(platform: Platform): RunsNode {
  const known = nodes.get(platform);
  if (known) return known;
  const hint = hinting(platform);
  const feed = new Feed();
  const writer = new LogWriter(platform, (runs) => hint({ kind: 'moved', runs }));
  const finishes = groupFinishes(platform);
  const quiet = new QuietWatch(platform);
  const node: RunsNode = { feed, quiet, writer, finishes, worker: null, journals: new Map(), hint };
  nodes.set(platform, node);
  return node;
}

function hinting(platform: Platform): (hint: Hint) => void {
  // Without a Redis server there is no other node to tell.
  if (platform.redis.kind !== 'server') return () => undefined;
  return (hint) => {
    platform.redis.publish(hintChannel, JSON.stringify({ from: platform.node_id, ...hint })).catch(() => undefined);
  };
}

/** Listens to the other nodes' hints until the returned function is called. Without it readers are only slower. */
export async function listenToHints(platform: Platform): Promise<() => Promise<void>> {
  if (platform.redis.kind !== 'server') return async () => undefined;
  const node = nodeOf(platform);
  return platform.redis.subscribe(hintChannel, (message) => {
    // Written by another node of ours; a shape that an older or newer one sends is ignored.
    const hint = JSON.parse(message) as Hint & { readonly from: string };
    if (hint.from === platform.node_id) return;
    if (hint.kind === 'moved') for (const run of hint.runs) node.feed.wake(run);
    if (hint.kind === 'cancel') node.worker?.cancelRequested(hint.run, hint.by);
    if (hint.kind === 'followed') node.worker?.followed(hint.run);
    if (hint.kind === 'queued') node.worker?.queued();
  });
}
