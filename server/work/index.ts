/** Claim, lease, fencing, recovery, jobs, schedules. Knows no agent. */
export { createWorker, type Worker, type WorkerOptions } from './create-worker.ts';
