import { z } from 'zod';
import { amountMicro, type RunEvent } from './events.ts';
import { turnMembers } from './turns.ts';

/** The WebSocket subprotocol, offered at the upgrade. */
export const subprotocol = 'netra.v1';
/** A client frame larger than this closes the socket with 1009. */
export const maxFrameBytes = 64 * 1024;

/** Ours: 4000–4499 mean reconnect, 4500–4999 mean don't. */
export const closeCodes = {
  policy_violation: 1008,
  too_big: 1009,
  internal: 1011,
  restarting: 1012,
  try_again_later: 1013,
  token_expired: 4001,
  slow_reader: 4008,
  draining: 4010,
  unauthenticated: 4501,
} as const;

const id = z.union([z.string().min(1).max(128), z.number().int()]);
const uuid = z.uuid();
const seq = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** Frames a client sends, by `type`. */
export const clientFrames = {
  hello: z.object({ type: z.literal('hello'), token: z.string().min(1).max(8192), id: id.optional() }),
  run: z.object({
    type: z.literal('run'),
    id,
    thread: uuid.optional(),
    agent: z.string().min(1).max(64),
    input: z.unknown(),
    idempotency_key: z.string().min(1).max(255),
    max_credits_micro: amountMicro.optional(),
    ...turnMembers,
  }),
  subscribe: z.object({
    type: z.literal('subscribe'),
    id,
    run: uuid,
    after: seq.default(0),
    epoch: seq.optional(),
  }),
  cancel: z.object({ type: z.literal('cancel'), id, run: uuid }),
  approve: z.object({
    type: z.literal('approve'),
    id,
    run: uuid,
    call: z.string().min(1).max(128),
    approved: z.boolean(),
  }),
  token: z.object({ type: z.literal('token'), token: z.string().min(1).max(8192), id: id.optional() }),
} as const;

export const clientFrame = z.discriminatedUnion('type', [
  clientFrames.hello,
  clientFrames.run,
  clientFrames.subscribe,
  clientFrames.cancel,
  clientFrames.approve,
  clientFrames.token,
]);
export type ClientFrame = z.infer<typeof clientFrame>;

/**
 * Frames the server sends, by `type`. An event travels as itself, `{ type, run, epoch, seq, at, data }`: event types
 * and frame types share no name, so `type` alone tells every frame apart (docs/decisions/0001-one-discriminator.md).
 */
export const serverFrames = {
  ready: z.object({
    type: z.literal('ready'),
    connection: z.string(),
    expires_in: z.number().int(),
    limits: z.object({ frame_bytes: z.number(), buffered_bytes: z.number(), subscriptions: z.number() }),
  }),
  accepted: z.object({ type: z.literal('accepted'), id, run: uuid, thread: uuid.optional() }),
  subscribed: z.object({ type: z.literal('subscribed'), id, run: uuid, epoch: seq, head: seq }),
  live: z.object({ type: z.literal('live'), run: uuid, seq }),
  end: z.object({ type: z.literal('end'), run: uuid, seq }),
  reset: z.object({ type: z.literal('reset'), run: uuid, epoch: seq, first: seq, reason: z.string() }),
  error: z.object({
    type: z.literal('error'),
    id: id.optional(),
    code: z.string(),
    message: z.string(),
    limit: z.unknown().optional(),
  }),
  drain: z.object({ type: z.literal('drain'), after_ms: z.number().int(), jitter_ms: z.number().int() }),
} as const;

/** A run event on the wire. `epoch` changes when a log's history was cut or restored: cursors of another epoch are void. */
export type EventFrame = RunEvent & { readonly epoch: number };
type ServerFrames = { [T in keyof typeof serverFrames]: z.infer<(typeof serverFrames)[T]> };
export type ControlFrame = ServerFrames[keyof ServerFrames];
export type ServerFrame = ControlFrame | EventFrame;
