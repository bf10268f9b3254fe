import { accepted, approvalBody, eventsQuery, pageOf, run, runsQuery, type RunEvent } from '@netra/contract';
import { z } from 'zod';
import {
  giveApproval,
  listRuns,
  readRun,
  requestCancel,
  tailRun,
  type Run,
  type Tail,
  type TailItem,
} from '../../runs/index.ts';
import { openEventStream, parseLastEventId, route, type EventStream, type NetraApp } from '../index.ts';

const runParams = z.object({ run: z.uuid() });
const callParams = z.object({ run: z.uuid(), call: z.string().min(1).max(128) });

export function runRoutes(app: NetraApp): void {
  route(app, 'readRun', {
    params: runParams,
    response: run,
    handle: async ({ ctx, params }) => toRun(await readRun({ ctx, input: params })),
  });
  route(app, 'listRuns', {
    query: runsQuery,
    response: pageOf(run),
    handle: async ({ ctx, query }) => {
      const { items, next } = await listRuns({ ctx, input: query });
      return { items: items.map(toRun), next };
    },
  });
  route(app, 'readEvents', {
    params: runParams,
    query: eventsQuery,
    response: z.unknown(),
    timeout_ms: 0,
    handle: async ({ ctx, params, query, request, reply }) => {
      // A browser that reconnects says where it was in Last-Event-ID, and repeats the URL it began with.
      const last = parseLastEventId(request.headers['last-event-id']);
      const cursor = last ? { after: last.seq, epoch: last.epoch } : query;
      const tail = await tailRun({ ctx, input: { run: params.run, ...cursor } });
      await sendEvents(openEventStream(reply), params.run, tail);
    },
  });
  route(app, 'cancelRun', {
    params: runParams,
    response: accepted,
    handle: async ({ ctx, params }) => {
      await requestCancel({ ctx, input: params });
      return { accepted: true } as const;
    },
  });
  route(app, 'giveApproval', {
    params: callParams,
    body: approvalBody,
    response: accepted,
    handle: async ({ ctx, params, body }) => {
      await giveApproval({ ctx, input: { ...params, approved: body.approved } });
      return { accepted: true } as const;
    },
  });
}

function toRun({ run_id, thread_id, ...rest }: Run) {
  return { run: run_id, thread: thread_id, ...rest };
}

/** Sends the run's events until it ends or the reader goes; the frames are those of the socket. */
async function sendEvents(stream: EventStream, run: string, tail: Tail): Promise<void> {
  try {
    for (;;) {
      const item = await tail.next(stream.signal);
      if (item.kind === 'events') await sendPage(stream, tail.epoch, item.events);
      else await sendControl(stream, run, item);
      if (item.kind === 'end') return;
    }
  } catch (error) {
    if (!stream.signal.aborted) throw error;
  } finally {
    tail.close();
    stream.end();
  }
}

async function sendControl(
  stream: EventStream,
  run: string,
  item: Exclude<TailItem, { kind: 'events' }>,
): Promise<void> {
  const { kind, ...facts } = item;
  await stream.write({ type: kind, data: { type: kind, run, ...facts } });
}

async function sendPage(stream: EventStream, epoch: number, events: readonly RunEvent[]): Promise<void> {
  for (const event of events) {
    await stream.write({ type: event.type, data: { ...event, epoch }, cursor: { epoch, seq: event.seq } });
  }
}
