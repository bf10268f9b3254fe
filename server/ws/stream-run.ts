import { closeCodes, NetraError, type ClientFrame, type RunEvent } from '@netra/contract';
import type { Connection } from './connection.ts';
import { frameOfEvent } from './frame-of-event.ts';
import type { Tail, TailItem } from '../runs/index.ts';

/**
 * `subscribe`: authorises, answers `subscribed`, then sends the run's events from the cursor on until it ends, the
 * socket does, or another `subscribe` of the same run takes over.
 */
export async function subscribe(
  connection: Connection,
  frame: Extract<ClientFrame, { type: 'subscribe' }>,
): Promise<void> {
  const { hub, ctx } = connection;
  if (!ctx) throw new NetraError('unauthenticated', 'Send `hello` with your token first.');
  const { id, run, after, epoch } = frame;
  const abort = new AbortController();
  const subscriptions = claimPlace(connection, run, abort);
  try {
    const tail = await hub.rooms.tailRun({ ctx, input: { run, after, ...(epoch === undefined ? {} : { epoch }) } });
    if (abort.signal.aborted) {
      leavePlace(connection, subscriptions, run, abort);
      tail.close();
      return;
    }
    connection.send({ type: 'subscribed', id, run, epoch: tail.epoch, head: tail.head });
    const subscription = { connection, run, signal: abort.signal, tail, cursor: after };
    void stream(subscription).finally(() => leavePlace(connection, subscriptions, run, abort));
  } catch (error) {
    leavePlace(connection, subscriptions, run, abort);
    throw error;
  }
}

type Subscriptions = NonNullable<Connection['subscriptions']>;

function claimPlace(connection: Connection, run: string, abort: AbortController): Subscriptions {
  const { limits, counts, tenants } = connection.hub;
  const subscriptions = (connection.subscriptions ??= new Map());
  const earlier = subscriptions.get(run);
  if (!earlier && subscriptions.size >= limits.subscriptions) {
    const limit = { limit: 'subscriptions', max: limits.subscriptions };
    throw new NetraError('rate_limited', 'This socket follows as many runs as it may.', limit);
  }
  if (connection.ctx) tenants.takeSubscription(connection.ctx.principal);
  earlier?.abort();
  counts.subscriptions += 1;
  subscriptions.set(run, abort);
  return subscriptions;
}

function leavePlace(connection: Connection, subscriptions: Subscriptions, run: string, abort: AbortController): void {
  connection.hub.counts.subscriptions -= 1;
  if (connection.ctx) connection.hub.tenants.giveSubscription(connection.ctx.principal);
  if (subscriptions.get(run) === abort) subscriptions.delete(run);
}

/** How long a page that was read is kept for a reader whose buffer is full: the next read of it costs a query. */
const patience_ms = 500;

/** Where a subscription stands. `cursor` is the last event that was sent: all that a slow reader keeps. */
interface Subscription {
  readonly connection: Connection;
  readonly run: string;
  readonly signal: AbortSignal;
  tail: Tail;
  cursor: number;
}

async function stream(subscription: Subscription): Promise<void> {
  const { connection, signal } = subscription;
  try {
    for (;;) {
      // Nothing is read for a slow reader until it has taken what it was given.
      await connection.whenWritable();
      if (signal.aborted) return;
      const outcome = await takeStep(subscription);
      if (outcome === 'behind') await fallBehind(subscription);
      else if (outcome === 'over') return;
    }
  } catch (error) {
    if (signal.aborted) return;
    connection.hub.refuse(connection, undefined, error);
    // The client holds its cursor; a new connection is a new try, by its own backoff.
    connection.close(closeCodes.internal, 'stream failed');
  } finally {
    subscription.tail.close();
  }
}

/**
 * Reads and sends one step. A function of its own, so that no suspended frame keeps a page alive while a slow reader
 * is waited for: measured, that was 7 MB a reader.
 */
async function takeStep(subscription: Subscription): Promise<'on' | 'behind' | 'over'> {
  const { tail, signal } = subscription;
  const step = await tail.next(signal);
  if (signal.aborted) return 'over';
  if (step.kind === 'events') return (await sendEvents(subscription, step.events)) ? 'on' : 'behind';
  sendControl(subscription, step);
  return step.kind === 'end' ? 'over' : 'on';
}

/** Sends events as there is room; false if some were left because the reader took nothing for a while. */
async function sendEvents(subscription: Subscription, events: readonly RunEvent[]): Promise<boolean> {
  const { connection, tail, signal } = subscription;
  for (const event of events) {
    const room = connection.whenWritable();
    if (room && !(await settlesWithin(room, patience_ms))) return false;
    if (signal.aborted) return true;
    connection.sendBytes(frameOfEvent(event, tail.epoch));
    subscription.cursor = event.seq;
  }
  return true;
}

async function settlesWithin(promise: Promise<void>, time_ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), time_ms);
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets go of what was read but not sent; when there is room again, the tail begins anew at the cursor. */
async function fallBehind(subscription: Subscription): Promise<void> {
  const { connection, run, signal, cursor } = subscription;
  const { epoch } = subscription.tail;
  subscription.tail.close();
  await connection.whenWritable();
  if (signal.aborted || !connection.ctx) return;
  subscription.tail = await connection.hub.rooms.tailRun({ ctx: connection.ctx, input: { run, after: cursor, epoch } });
}

/** After a `reset` the tail goes on, from its first event. */
function sendControl(subscription: Subscription, step: Exclude<TailItem, { kind: 'events' }>): void {
  const { connection, run } = subscription;
  if (step.kind !== 'reset') return connection.send({ type: step.kind, run, seq: step.seq });
  const { epoch, first, reason } = step;
  subscription.cursor = first - 1;
  connection.send({ type: 'reset', run, epoch, first, reason });
}
