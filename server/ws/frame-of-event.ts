import type { RunEvent } from '@netra/contract';

/**
 * Bytes of an event's frame, made once however many sockets follow the run: the live feed hands every subscriber the
 * same event object. An event read again from the log is another object, and gone with its page.
 */
const frames = new WeakMap<RunEvent, Buffer>();

/** `{ type, run, epoch, seq, at, data }`: an event travels as itself (docs/decisions/0001-one-discriminator.md). */
export function frameOfEvent(event: RunEvent, epoch: number): Buffer {
  const made = frames.get(event);
  if (made) return made;
  const { type, run, seq, at, data } = event;
  const frame = Buffer.from(JSON.stringify({ type, run, epoch, seq, at, data }));
  frames.set(event, frame);
  return frame;
}
