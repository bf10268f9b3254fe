import { z } from 'zod';

/**
 * What a run does if its thread is busy: wait behind what is there (`enqueue`), be refused with `thread_busy`, or have
 * the thread's other runs cancelled and begin as soon as they have ended.
 */
export const ifBusy = z.enum(['enqueue', 'reject', 'interrupt']);
export type IfBusy = z.infer<typeof ifBusy>;

/** A year. */
const maxDelay_ms = 366 * 24 * 3600 * 1000;

/** When a run begins, and what it does about others in its thread; the same members in every way to ask for a run. */
export const turnMembers = {
  if_busy: ifBusy.optional(),
  /** Not before; a year ahead at most. A time that has passed is now. */
  start_at: z.iso.datetime({ offset: true }).optional(),
  /** The same, from now on. */
  delay_ms: z.number().int().min(0).max(maxDelay_ms).optional(),
};
