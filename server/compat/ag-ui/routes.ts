import { setTimeout as sleep } from 'node:timers/promises';
import { NetraError } from '@netra/contract';
import { z } from 'zod';
import { openEventStream, route, type EventStream, type NetraApp } from '../../http/index.ts';
import type { Ctx } from '../../platform/index.ts';
import { giveApproval, listRuns, readLatestRun, readRun, threadIdOf, type Tail } from '../../runs/index.ts';
import { followRun, openRun } from '../follow-run.ts';
import { conversationKey, openConversation, startRun, toldBefore } from '../start-run.ts';
import { AgUiEvents } from './ag-ui-events.ts';
import { inputOf, isApproved, runAgUiRequest, toldOf, type RunAgUiRequest } from './run-request.ts';

const maxBody_bytes = 8 * 1024 * 1024;
const agentParams = z.object({ agent: z.string().min(1).max(64) });
/** Between the question and the parking lie the last words of the worker. */
const parking_ms = 50;

export function agUiRoutes(app: NetraApp): void {
  route(app, 'runAgUi', {
    params: agentParams,
    body: runAgUiRequest,
    response: z.unknown(),
    bodyLimit: maxBody_bytes,
    timeout_ms: 0,
    async handle({ ctx, params, body, reply }) {
      const { run, after } = body.resume?.length ? await answer(ctx, body) : await ask(ctx, params.agent, body);
      const tail = await openRun({ ctx, run, after });
      const stream = openEventStream(reply);
      try {
        await sendRun(ctx, run, tail, new AgUiEvents(body), stream);
      } finally {
        stream.end();
      }
    },
  });
}

interface Following {
  readonly run: string;
  readonly after: number;
}

async function ask(ctx: Ctx, agent: string, body: RunAgUiRequest): Promise<Following> {
  const { threadId, runId } = body;
  const key = `${threadId}/${runId}`;
  const thread = await openConversation(ctx, 'ag-ui', threadId, toldBefore(toldOf(body)));
  const { max_credits_micro, if_busy } = body.forwardedProps ?? {};
  const asked = { wire: 'ag-ui', thread, agent, input: inputOf(body), max_credits_micro, if_busy, key } as const;
  const { run } = await startRun(ctx, asked);
  return { run, after: 0 };
}

/** The answers to what the thread's parked run asked; what follows is the rest of that run. */
async function answer(ctx: Ctx, { threadId, resume = [] }: RunAgUiRequest): Promise<Following> {
  const thread = threadIdOf(ctx.principal.org_id, conversationKey('ag-ui', threadId));
  // Others may have come to wait behind it.
  const { items } = await listRuns({ ctx, input: { thread, state: 'parked', limit: 1 } });
  const parked = items[0] ?? (await readLatestRun({ ctx, input: { thread } }));
  if (parked === null) throw new NetraError('not_found', 'This thread has no run to resume.');
  for (const each of resume) {
    const input = { run: parked.run_id, call: each.interruptId, approved: isApproved(each) };
    await giveApproval({ ctx, input });
  }
  return { run: parked.run_id, after: parked.last_seq };
}

async function sendRun(ctx: Ctx, run: string, tail: Tail, events: AgUiEvents, stream: EventStream): Promise<void> {
  const { signal } = stream;
  await stream.write({ data: events.started() });
  for await (const event of followRun({ tail, signal })) {
    for (const data of events.push(event)) await stream.write({ data });
    if (event.type !== 'approval_requested' || !(await isParked(ctx, run, event.seq, signal))) continue;
    for (const data of events.interrupted()) await stream.write({ data });
    return;
  }
}

/** True when the run waits after `seq`; false when it has gone on. */
async function isParked(ctx: Ctx, run: string, seq: number, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const { state, last_seq } = await readRun({ ctx, input: { run } });
    if (last_seq > seq || state !== 'running') return state === 'parked' && last_seq === seq;
    await sleep(parking_ms, undefined, { signal });
  }
}
