import { advanceLog, emptyLog, type LogState, type RunEvent } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import type { Claim } from './claim.ts';
import type { Journal } from './journal.ts';
import { nodeOf } from './node.ts';
import { readPage } from './read-page.ts';
import { RunJournal } from './run-journal.ts';

const page = 1_000;

/**
 * Opens a claimed run's log for writing, with all its events so far: a worker that takes over goes on from them. No
 * query for a run that was just admitted here. Throws `fenced` if the lease is gone.
 */
export async function openJournal({
  platform,
  claim,
}: {
  readonly platform: Platform;
  readonly claim: Claim;
}): Promise<Journal> {
  const { feed, journals } = nodeOf(platform);
  const kept = feed.get(claim.run_id);
  const whole = kept?.head === claim.last_seq && kept.events.length === kept.head;
  const events = whole ? [...kept.events] : await readAll(platform, claim);
  if (!whole) {
    const { org_id, run_id, epoch } = claim;
    feed.open({ org_id, run_id, epoch, events, head: events.length });
  }
  let state: LogState = emptyLog;
  for (const event of events) state = advanceLog(state, event);
  const journal = new RunJournal(platform, claim, events, state);
  journals.set(claim.lease_token, journal);
  return journal;
}

async function readAll(platform: Platform, claim: Claim): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const next = await readPage(platform, claim, events.length, page);
    events.push(...next.events);
    if (next.events.length < page) return events;
  }
}
