import { NetraError, type ClientFrame } from '@netra/contract';
import type { Ctx } from '../platform/index.ts';
import type { Connection } from './connection.ts';

type Frame<Type extends ClientFrame['type']> = Extract<ClientFrame, { type: Type }>;

/** `run`: admits a run, answers `accepted`. The same key and body again answers the same run. */
export async function run(connection: Connection, frame: Frame<'run'>): Promise<void> {
  const { hub } = connection;
  const ctx = commandCtx(connection);
  await hub.plans.checkRequestRate({ ctx });
  const { thread, agent, input, idempotency_key, max_credits_micro, if_busy, start_at, delay_ms } = frame;
  const admitted = await hub.rooms.admitRun({
    ctx,
    input: { thread, agent, input, idempotency_key, max_credits_micro, if_busy, start_at, delay_ms },
  });
  connection.send({ type: 'accepted', id: frame.id, run: admitted.run, thread: admitted.thread });
}

/** `cancel`: a durable wish; `accepted` says it is written down, the run's log says when it came true. */
export async function cancel(connection: Connection, frame: Frame<'cancel'>): Promise<void> {
  await connection.hub.rooms.requestCancel({ ctx: commandCtx(connection), input: { run: frame.run } });
  connection.send({ type: 'accepted', id: frame.id, run: frame.run });
}

/** `approve`: answers a request for approval; `accepted` says it is written down. */
export async function approve(connection: Connection, frame: Frame<'approve'>): Promise<void> {
  const { run: id, call, approved } = frame;
  await connection.hub.rooms.giveApproval({ ctx: commandCtx(connection), input: { run: id, call, approved } });
  connection.send({ type: 'accepted', id: frame.id, run: id });
}

/** A trace of its own for each command: the connection's would tie a day of work together. */
function commandCtx(connection: Connection): Ctx {
  const { ctx, hub } = connection;
  if (!ctx) throw new NetraError('unauthenticated', 'Send `hello` with your token first.');
  return { ...ctx, trace_id: hub.platform.ids.uuid().replaceAll('-', '') };
}
