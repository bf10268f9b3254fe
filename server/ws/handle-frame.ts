import { clientFrame, NetraError, type ClientFrame } from '@netra/contract';
import type { RawData } from 'ws';
import type { Principal } from '../platform/index.ts';
import type { Connection } from './connection.ts';
import { approve, cancel, run } from './run-commands.ts';
import { renewToken, signIn } from './sign-in.ts';
import { subscribe } from './stream-run.ts';

/** A frame as it came: counted, understood, handled. Floods and nonsense end the socket (1008). */
export function receive(connection: Connection, data: RawData, isBinary: boolean): void {
  if (!countFrame(connection)) return;
  const frame = parse(connection, data, isBinary);
  if (frame) handleFrame(connection, frame);
}

/** Counts a frame, also a ping, which `ws` answers by itself: false ends a flood. */
export function countFrame(connection: Connection): boolean {
  const { hub } = connection;
  const now_ms = hub.platform.clock.nowMs();
  hub.counts.frames_in += 1;
  connection.seen_ms = now_ms;
  connection.pinged = false;
  if (now_ms - connection.second_ms >= 1000) {
    connection.second_ms = now_ms;
    connection.frames = 0;
  }
  connection.frames += 1;
  if (connection.frames > hub.limits.frames_second) {
    hub.violate(connection, 'too many frames');
    return false;
  }
  return true;
}

/** A frame that was understood. Never throws: a refusal is a frame too. */
function handleFrame(connection: Connection, frame: ClientFrame): void {
  const { hub } = connection;
  if (frame.type === 'hello') return void greet(connection, frame);
  if (connection.waiting) {
    if (connection.waiting.push(frame) > hub.limits.commands) hub.violate(connection, 'too many frames before ready');
    return;
  }
  if (!connection.ctx) {
    hub.refuse(connection, frame.id, new NetraError('unauthenticated', 'Send `hello` with your token first.'));
    countBad(connection);
    return;
  }
  if (connection.commands >= hub.limits.commands) {
    const limit = { limit: 'commands', max: hub.limits.commands };
    hub.refuse(connection, frame.id, new NetraError('rate_limited', 'Wait for answers before asking more.', limit));
    return;
  }
  const over = hub.budgets.take(connection.ctx.principal, connection.seen_ms);
  if (over) {
    const message = 'You send more frames than allowed, on all nodes together; wait.';
    hub.refuse(connection, frame.id, new NetraError('rate_limited', message, { ...over }));
    return;
  }
  connection.commands += 1;
  void perform(connection, frame);
}

/** Signs the socket in, and handles what came meanwhile. */
export async function greet(
  connection: Connection,
  who: Extract<ClientFrame, { type: 'hello' }> | { readonly principal: Principal },
): Promise<void> {
  for (const waiting of await signIn(connection, who)) handleFrame(connection, waiting);
}

async function perform(connection: Connection, frame: Exclude<ClientFrame, { type: 'hello' }>): Promise<void> {
  try {
    if (frame.type === 'run') await run(connection, frame);
    else if (frame.type === 'subscribe') await subscribe(connection, frame);
    else if (frame.type === 'cancel') await cancel(connection, frame);
    else if (frame.type === 'approve') await approve(connection, frame);
    else await renewToken(connection, frame);
  } catch (error) {
    connection.hub.refuse(connection, frame.id, error);
  } finally {
    connection.commands -= 1;
  }
}

/** The frame, or undefined after saying what is wrong with it. */
function parse(connection: Connection, data: RawData, isBinary: boolean): ClientFrame | undefined {
  const value = isBinary ? undefined : parseJson(data);
  const parsed = clientFrame.safeParse(value);
  if (parsed.success) {
    connection.badFrames = 0;
    return parsed.data;
  }
  const what = value === undefined ? 'A frame is one JSON object, as text.' : 'The frame does not match the protocol.';
  const fields =
    value === undefined ? [] : parsed.error.issues.map(({ path, code }) => ({ path: path.join('.'), code }));
  const error = new NetraError('invalid_frame', what, fields.length === 0 ? {} : { fields });
  connection.hub.refuse(connection, idOf(value), error);
  countBad(connection);
  return undefined;
}

function countBad(connection: Connection): void {
  connection.badFrames += 1;
  if (connection.badFrames >= connection.hub.limits.bad_frames) {
    connection.hub.violate(connection, 'too many frames that are not the protocol');
  }
}

function parseJson(data: RawData): unknown {
  try {
    return JSON.parse((data as Buffer).toString()) as unknown; // ws gives a Buffer: binaryType is nodebuffer
  } catch {
    return undefined;
  }
}

/** What to echo of a frame that could not be read whole. */
function idOf(value: unknown): string | number | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value)) return undefined;
  const { id } = value;
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  return typeof id === 'string' && id.length > 0 && id.length <= 128 ? id : undefined;
}
