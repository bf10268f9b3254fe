import { acceptedRun, createRunBody, createThreadBody, message, messagesQuery, pageOf, thread } from '@netra/contract';
import { z } from 'zod';
import { admitRun } from '../../agents/index.ts';
import { createThread, exportThread, pageMessages } from '../../runs/index.ts';
import { route, sendLines, type NetraApp } from '../index.ts';

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
  route(app, 'listMessages', {
    params: threadParams,
    query: messagesQuery,
    response: pageOf(message),
    handle: async ({ ctx, params, query }) => {
      const { items, next } = await pageMessages({ ctx, input: { ...params, ...query } });
      return {
        items: items.map(({ message_id, run_id, ...rest }) => ({ message: message_id, run: run_id, ...rest })),
        next,
      };
    },
  });
  route(app, 'exportThread', {
    params: threadParams,
    response: z.string(),
    timeout_ms: 0,
    async handle({ ctx, params, reply }) {
      const pieces = await exportThread({ ctx, input: params });
      return sendLines(reply, { name: `thread-${params.thread}.jsonl`, type: 'application/x-ndjson', pieces });
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
