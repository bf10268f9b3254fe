/** Threads, runs and their event log: append, read, tail. */
export type { Claim, Lease } from './claim.ts';
export { checkRunLog } from './check-run-log.ts';
export { createThread } from './create-thread.ts';
export { isStorable, maxEventData_bytes, storable } from './encode-event.ts';
export { finishRun } from './finish-run.ts';
export { giveApproval } from './give-approval.ts';
export type { Ending, FinishInput, Journal } from './journal.ts';
export { listMessages, type Message } from './list-messages.ts';
export { listRuns } from './list-runs.ts';
export { listenToHints, nodeOf, type LocalWorker, type Seat } from './node.ts';
export { openJournal } from './open-journal.ts';
export type { OutboxRow } from './outbox-row.ts';
export { readEvents } from './read-events.ts';
export { readRun } from './read-run.ts';
export { requestCancel } from './request-cancel.ts';
export { RunCancelled } from './run-cancelled.ts';
export type { Run, RunState, Thread } from './run.ts';
export { tailRun, type Tail, type TailItem } from './tail-run.ts';
