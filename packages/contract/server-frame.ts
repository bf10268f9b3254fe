import { z } from 'zod';
import { eventData, eventTypes, type EventType } from './events.ts';
import { serverFrames } from './frames.ts';

const seq = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** The frame of one event type: the event itself and the epoch of its log. `seq` counts from 1 without gaps (R1). */
function frameOf<Type extends EventType>(type: Type) {
  return z.object({
    type: z.literal(type),
    run: z.uuid(),
    epoch: seq,
    seq: seq.min(1),
    at: z.iso.datetime(),
    data: eventData[type],
  });
}

/** Event frames by type. */
export const eventFrames = Object.fromEntries(eventTypes.map((type) => [type, frameOf(type)])) as {
  // Object.fromEntries forgets which schema belongs to which name.
  [Type in EventType]: ReturnType<typeof frameOf<Type>>;
};

type AnyFrame = (typeof serverFrames)[keyof typeof serverFrames] | (typeof eventFrames)[EventType];
const all: AnyFrame[] = [...Object.values(serverFrames), ...Object.values(eventFrames)];

/** Anything a server sends on `/v1/ws`: for clients that check what they get, and for tests. */
export const serverFrame = z.discriminatedUnion('type', all as [AnyFrame, ...AnyFrame[]]);
