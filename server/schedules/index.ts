/** Schedules: runs at the times of a cron expression; and the clock that starts what is due. */
export { changeSchedule } from './change-schedule.ts';
export { createSchedule } from './create-schedule.ts';
export { deleteSchedule } from './delete-schedule.ts';
export { listSchedules } from './list-schedules.ts';
export { readSchedule } from './read-schedule.ts';
export { runDueSchedules } from './run-due-schedules.ts';
export { startClock } from './start-clock.ts';
