import { acceptedRun, createRunBody, createThreadBody, thread } from '@netra/contract';
import { z } from 'zod';
import { admitRun } from '../../agents/index.ts';
import { createThread } from '../../runs/index.ts';
import { route, type NetraApp } from '../index.ts';

const threadParams = z.object({ thread: z.uuid() });

export function threadRoutes(app: NetraApp): void {
  route(app, 'createThread', {
    body: createThreadBody,
    response: thread,
    handle: async ({ ctx, body, idempotency_key }) => {
      const { thread_id, title, created_at } = await createThread({ ctx, input: { ...body, idempotency_key } });
      return { thread: thread_id, title: title === '' ? null : title, created_at };
    },
  });
  route(app, 'createRun', {
    params: threadParams,
    body: createRunBody,
    response: acceptedRun,
    handle: ({ ctx, params, body: { input, ...body }, idempotency_key }) =>
      admitRun({ ctx, input: { ...body, input, thread: params.thread, idempotency_key } }),
  });
}
