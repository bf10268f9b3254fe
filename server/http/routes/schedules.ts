import { changeScheduleBody, createScheduleBody, done, pageOf, pageQuery, schedule } from '@netra/contract';
import { z } from 'zod';
import * as schedules from '../../schedules/index.ts';
import { route, type NetraApp } from '../index.ts';

const scheduleParam = z.object({ schedule: z.uuid() });

export function scheduleRoutes(app: NetraApp): void {
  route(app, 'createSchedule', {
    body: createScheduleBody,
    response: schedule,
    handle: ({ ctx, body, idempotency_key }) => schedules.createSchedule({ ctx, input: { ...body, idempotency_key } }),
  });
  route(app, 'listSchedules', {
    query: pageQuery,
    response: pageOf(schedule),
    handle: ({ ctx, query }) => schedules.listSchedules({ ctx, input: query }),
  });
  route(app, 'readSchedule', {
    params: scheduleParam,
    response: schedule,
    handle: ({ ctx, params }) => schedules.readSchedule({ ctx, input: params }),
  });
  route(app, 'changeSchedule', {
    params: scheduleParam,
    body: changeScheduleBody,
    response: schedule,
    handle: ({ ctx, params, body }) => schedules.changeSchedule({ ctx, input: { ...body, ...params } }),
  });
  route(app, 'deleteSchedule', {
    params: scheduleParam,
    response: done,
    handle: async ({ ctx, params }) => {
      await schedules.deleteSchedule({ ctx, input: params });
      return { done: true } as const;
    },
  });
}
