import { NetraError, type ClientFrame } from '@netra/contract';
import type { Connection } from './connection.ts';
import { frameOfEvent } from './frame-of-event.ts';
import type { Tail, TailStep } from './rooms.ts';

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
    if (abort.signal.aborted) return void (await tail.close());
    connection.send({ type: 'subscribed', id, run, epoch: tail.epoch, head: tail.head });
    void stream(connection, run, tail, abort).finally(() => leavePlace(connection, subscriptions, run, abort));
  } catch (error) {
    leavePlace(connection, subscriptions, run, abort);
    throw error;
  }
}

type Subscriptions = NonNullable<Connection['subscriptions']>;

function claimPlace(connection: Connection, run: string, abort: AbortController): Subscriptions {
  const { limits, counts } = connection.hub;
  const subscriptions = (connection.subscriptions ??= new Map());
  const earlier = subscriptions.get(run);
  if (!earlier && subscriptions.size >= limits.subscriptions) {
    const limit = { limit: 'subscriptions', max: limits.subscriptions };
    throw new NetraError('rate_limited', 'This socket follows as many runs as it may.', limit);
  }
  earlier?.abort();
  counts.subscriptions += 1;
  subscriptions.set(run, abort);
  return subscriptions;
}

function leavePlace(connection: Connection, subscriptions: Subscriptions, run: string, abort: AbortController): void {
  connection.hub.counts.subscriptions -= 1;
  if (subscriptions.get(run) === abort) subscriptions.delete(run);
}

async function stream(connection: Connection, run: string, tail: Tail, abort: AbortController): Promise<void> {
  const { signal } = abort;
  try {
    for (;;) {
      // A slow reader keeps only its cursor: nothing is read for it until it has taken what it was given.
      await connection.whenWritable();
      if (signal.aborted) return;
      const step = await tail.next(signal);
      if (!(await pass(connection, run, tail.epoch, step, signal))) return;
    }
  } catch (error) {
    if (signal.aborted) return;
    connection.hub.refuse(connection, undefined, error);
    // The client holds its cursor; a new connection is a new try, by its own backoff.
    connection.close(1011, 'stream failed');
  } finally {
    await tail.close();
  }
}

/** Sends one step; false when it was the last. After a `reset` the tail goes on, from its first event. */
async function pass(
  connection: Connection,
  run: string,
  epoch: number,
  step: TailStep,
  signal: AbortSignal,
): Promise<boolean> {
  if (step.kind === 'events') {
    for (const event of step.events) {
      const full = connection.whenWritable();
      if (full) await full;
      if (signal.aborted) return false;
      connection.sendBytes(frameOfEvent(event, epoch));
    }
    return true;
  }
  if (signal.aborted) return false;
  if (step.kind === 'live') connection.send({ type: 'live', run, seq: step.seq });
  else if (step.kind === 'end') connection.send({ type: 'end', run, seq: step.seq });
  else connection.send({ type: 'reset', run, epoch: step.epoch, first: step.first, reason: step.reason });
  return step.kind !== 'end';
}
