/** Claim, lease, fencing, recovery, jobs, schedules. Knows no agent. */
export { createWorker, type Worker, type WorkerOptions } from './create-worker.ts';
export { startJobs, type Jobs, type Schedule } from './jobs.ts';
export { giveUpParked } from './give-up-parked.ts';
export { keepResumingFunded, resumeFunded } from './resume-funded.ts';
export { sweepHolds } from './sweep-holds.ts';
