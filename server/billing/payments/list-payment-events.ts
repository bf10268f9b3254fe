import { z } from 'zod';
import { parseInput, type Platform } from '../../platform/index.ts';
import { listEventsStatement, type EventRow } from './sql/events.ts';

const input = z.object({
  state: z.enum(['received', 'processed', 'ignored', 'flagged']).nullable().default(null),
  limit: z.number().int().min(1).max(1_000).default(100),
});
export type ListPaymentEventsInput = z.input<typeof input>;

/** What providers told, newest first, and what came of it. For operators: `flagged` is theirs to look at. */
export async function listPaymentEvents({
  platform,
  input: raw,
}: {
  platform: Platform;
  input: ListPaymentEventsInput;
}): Promise<readonly EventRow[]> {
  const { state, limit } = parseInput(input, raw);
  return platform.postgres.call<EventRow>(listEventsStatement(state, limit));
}
