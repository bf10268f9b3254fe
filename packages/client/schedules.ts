import type { ChangeScheduleBody, CreateScheduleBody, Schedule } from '@netra/contract';
import type { Page } from './page.ts';
import type { Rest } from './rest.ts';

/** Runs at the times of a cron expression (docs/scheduling.md). */
export function schedulesOf(rest: Rest) {
  const path = '/v1/schedules';
  return {
    list: (query: { limit?: number; cursor?: string } = {}) => rest.send<Page<Schedule>>({ path, query }),
    /** The same key with the same body is the same schedule. */
    create: (body: CreateScheduleBody, idempotency_key: string = globalThis.crypto.randomUUID()) =>
      rest.send<Schedule>({ method: 'POST', path, body, idempotency_key }),
    read: (schedule: string) => rest.send<Schedule>({ path: `${path}/${schedule}` }),
    change: (schedule: string, body: ChangeScheduleBody) =>
      rest.send<Schedule>({ method: 'PATCH', path: `${path}/${schedule}`, body }),
    /** Due times that pass meanwhile are not made up for. */
    pause: (schedule: string) =>
      rest.send<Schedule>({ method: 'PATCH', path: `${path}/${schedule}`, body: { paused: true } }),
    resume: (schedule: string) =>
      rest.send<Schedule>({ method: 'PATCH', path: `${path}/${schedule}`, body: { paused: false } }),
    /** Runs that it has started go on. */
    async delete(schedule: string): Promise<void> {
      await rest.send<unknown>({ method: 'DELETE', path: `${path}/${schedule}` });
    },
  };
}
