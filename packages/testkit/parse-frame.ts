import { parseEvent, serverFrames, type ControlFrame, type ServerFrame } from '@netra/contract';
import { checkFrame } from './check-frame.ts';

/** Reads a frame of the server by the contract's own schemas and by docs/asyncapi.yaml; throws an Error that names what is wrong with it. */
export function parseFrame(text: string): ServerFrame {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('a frame is a JSON object');
  const frame: Readonly<Record<string, unknown>> = { ...value };
  const type = frame['type'];
  if (typeof type !== 'string') throw new Error('a frame has a type');
  // Before our own schemas, which leave out what they do not know.
  checkFrame('fromServer', { ...frame, type });
  if (isControl(type)) return serverFrames[type].parse(frame);
  return { ...parseEvent(type, frame['data']), ...placeOf(frame) };
}

function isControl(type: string): type is ControlFrame['type'] {
  return Object.hasOwn(serverFrames, type);
}

interface Place {
  readonly run: string;
  readonly epoch: number;
  readonly seq: number;
  readonly at: string;
}

// R1 on the wire: every event says of which run it is, its place in the log, and when it was written.
function placeOf({ run, epoch, seq, at }: Readonly<Record<string, unknown>>): Place {
  if (typeof run !== 'string' || run === '') throw new Error('an event names its run');
  if (!isWhole(epoch, 0)) throw new Error(`epoch ${String(epoch)} is not a whole number`);
  if (!isWhole(seq, 1)) throw new Error(`seq ${String(seq)} is not a whole number from 1 on`);
  if (typeof at !== 'string' || !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(at)) throw new Error('at is not ISO UTC');
  return { run, epoch, seq, at };
}

function isWhole(value: unknown, from: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= from;
}
