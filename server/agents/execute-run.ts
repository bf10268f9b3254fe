import type { Platform } from '../platform/index.ts';
import { openJournal, RunCancelled, type Claim, type Journal } from '../runs/index.ts';
import { Conversation } from './conversation.ts';
import { abandonRun, completeRun } from './end-run.ts';
import { findAgent } from './find-agent.ts';
import { openModel } from './models/choose-model.ts';
import { resumeCalls } from './resume-calls.ts';
import type { RunScope } from './run-scope.ts';
import { stopWith, type Stop } from './stop-run.ts';
import { takeSteps } from './take-steps.ts';
import { writeEvents } from './write-events.ts';

export interface Execution {
  readonly platform: Platform;
  readonly claim: Claim;
  /** Aborts when the run is to be left: cancelled, drained, or the lease lost. The reason says which. */
  readonly signal: AbortSignal;
}

/**
 * Executes a run from wherever its log stands to its end or its next approval. Ends it with exactly one terminal
 * event, unless it is not this worker's to end: fenced, draining, or the database gone; then it throws what happened
 * and leaves the run to the next claim. What is in the log is never done again (R2).
 */
export async function executeRun({ platform, claim, signal }: Execution): Promise<void> {
  const journal = await openJournal({ platform, claim });
  const stop = stopWith(signal, claim);
  try {
    await work(platform, claim, journal, stop);
  } finally {
    stop.clear();
  }
}

async function work(platform: Platform, claim: Claim, journal: Journal, stop: Stop): Promise<void> {
  const scope = openScope(platform, claim, journal, stop);
  let text: string;
  try {
    if (claim.cancel_requested_by !== null) throw new RunCancelled(claim.cancel_requested_by);
    if (!(await resumeCalls(scope))) return await journal.park(scope.writer.take());
    text = await takeSteps(scope);
  } catch (error) {
    return abandonRun(scope, journal, error);
  }
  await completeRun(scope, journal, text);
}

function openScope(platform: Platform, claim: Claim, journal: Journal, stop: Stop): RunScope {
  const agent = findAgent(claim.agent, platform.config);
  const conversation = new Conversation(agent, claim.input);
  for (const event of journal.events) conversation.add(event);
  const { org_id, user_id, role, run_id } = claim;
  return {
    ctx: {
      platform,
      principal: { org_id, user_id, role, kind: 'user', expires_at_ms: null },
      trace_id: run_id,
    },
    claim,
    agent,
    model: openModel(claim.model, platform.config),
    conversation,
    writer: writeEvents(journal, stop.abort),
    signal: stop.signal,
  };
}
