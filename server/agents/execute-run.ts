import { NetraError, reachedLimit } from '@netra/contract';
import type { Platform } from '../platform/index.ts';
import { openJournal, type Claim, type Journal } from '../runs/index.ts';
import { runRemote } from './ag-ui/run-remote.ts';
import { beginRun, type HeldClaim } from './begin-run.ts';
import { Conversation } from './conversation.ts';
import { abandonRun, completeRun, isLeftToOthers } from './end-run.ts';
import { findAgent } from './find-agent.ts';
import { openModel } from './models/choose-model.ts';
import { readHistory } from './read-history.ts';
import { resumeCalls } from './resume-calls.ts';
import type { RunScope } from './run-scope.ts';
import { takeSteps } from './take-steps.ts';
import { writeEvents } from './write-events.ts';

export interface Execution {
  readonly platform: Platform;
  readonly claim: Claim;
  /** Aborts when the run is to be left: cancelled, drained, or the lease lost. The reason says which. */
  readonly signal: AbortSignal;
  /** Aborts when the node goes away: the run is left before its next step. */
  readonly leaving?: AbortSignal | undefined;
}

/**
 * Executes a run from wherever its log stands to its end or its next approval. Ends it with exactly one terminal
 * event, unless it is not this worker's to end: fenced, draining, or the database gone; then it throws what happened
 * and leaves the run to the next claim. What is in the log is never done again (R2).
 */
export async function executeRun({ platform, claim, signal, leaving }: Execution): Promise<void> {
  const journal = await openJournal({ platform, claim });
  const begun = await beginRun({ platform, claim });
  if (begun instanceof NetraError) return await endUnstartable(journal, begun);
  const scope = await openScope({ platform, claim: begun, signal, leaving }, journal);
  if (scope instanceof NetraError) return await endUnstartable(journal, scope);
  try {
    signal.throwIfAborted();
    const { remote } = scope.agent;
    const text = remote === undefined ? await takeAllSteps(scope) : await runRemote(scope, remote);
    if (text === null) return await journal.park(scope.writer.take());
    await completeRun(scope, journal, text);
  } catch (error) {
    await abandonRun(scope, journal, error);
  }
}

/** Null: somebody has to answer first. */
async function takeAllSteps(scope: RunScope): Promise<string | null> {
  return (await resumeCalls(scope)) ? await takeSteps(scope) : null;
}

/** Or why this run cannot be executed: an agent or model that is gone, an input that does not fit. */
async function openScope(
  { platform, claim, signal, leaving }: Execution & { readonly claim: HeldClaim },
  journal: Journal,
): Promise<RunScope | NetraError> {
  try {
    const agent = findAgent(claim.agent, platform);
    const conversation = new Conversation(agent, claim.input, await readHistory({ platform, claim, agent }));
    for (const event of journal.events) conversation.add(event);
    const { org_id, user_id, role, run_id } = claim;
    const principal = { org_id, user_id, role, kind: 'user', expires_at_ms: null } as const;
    return {
      ctx: { platform, principal, trace_id: run_id },
      claim,
      agent,
      model: openModel(claim.model, platform.config, agent.model, claim.input),
      conversation,
      writer: writeEvents(journal),
      signal,
      leaving,
    };
  } catch (error) {
    if (error instanceof NetraError && !isLeftToOthers(error)) return error;
    throw error;
  }
}

async function endUnstartable(journal: Journal, { code, message, detail }: NetraError): Promise<void> {
  const limit = reachedLimit.safeParse(detail);
  const data = { code, message, ...(limit.success ? { limit: limit.data } : {}) };
  await journal.finish({ event: { type: 'agent_failed', data }, capture_micro: 0n, usage: [] });
}
