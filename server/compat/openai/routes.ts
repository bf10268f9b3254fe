import { createHash } from 'node:crypto';
import { isErrorCode, NetraError, type IfBusy } from '@netra/contract';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { listAgents } from '../../agents/index.ts';
import { openEventStream, route, type EventStream, type NetraApp, type ProblemShape } from '../../http/index.ts';
import type { Ctx } from '../../platform/index.ts';
import { readRun, requestCancel, type Tail } from '../../runs/index.ts';
import { followRun, openRun } from '../follow-run.ts';
import { openConversation, startRun, toldBefore, type Told } from '../start-run.ts';
import { CompletionOfRun } from './completion-chunks.ts';
import {
  chatCompletionRequest,
  createResponseRequest,
  questionOf,
  readResponseQuery,
  runOfResponse,
  toldOf,
} from './requests.ts';
import { ResponseOfRun } from './response-events.ts';

const maxBody_bytes = 8 * 1024 * 1024;
const responseParams = z.object({ response: z.string().min(1).max(64) });
const response = z.unknown();
/** A stream that nobody reads has no signal of its own. */
const never = new AbortController().signal;

/** OpenAI's clients look for the refusal in `error`. */
const problemShape: ProblemShape = (problem) => ({
  ...problem,
  error: { message: problem['detail'], type: problem['title'], code: problem['code'], param: null },
});
const common = { response, bodyLimit: maxBody_bytes, timeout_ms: 0, problemShape } as const;

export function openAiRoutes(app: NetraApp): void {
  route(app, 'listOpenAiModels', {
    response,
    problemShape,
    async handle({ ctx }) {
      const agents = await listAgents({ ctx });
      const data = agents.map(({ agent: id }) => ({ id, object: 'model', created: 0, owned_by: 'netra' }));
      return { object: 'list', data };
    },
  });
  chatRoute(app);
  responseRoutes(app);
}

function chatRoute(app: NetraApp): void {
  route(app, 'chatOpenAi', {
    ...common,
    body: chatCompletionRequest,
    async handle({ ctx, body, request, reply }) {
      const input = questionOf(body.messages, body.netra_input);
      const { run } = await start(ctx, request, { ...asked(body), input, told: toldOf(body.messages), after: null });
      const completion = new CompletionOfRun(run);
      const tail = await openRun({ ctx, run });
      if (body.stream !== true) {
        for await (const event of followRun({ tail, signal: never })) completion.push(event);
        if (completion.failure !== null) throw failureOf(completion.failure);
        return completion.completion();
      }
      await streaming(openEventStream(reply), async (stream) => {
        for await (const event of followRun({ tail, signal: stream.signal })) {
          for (const data of completion.push(event)) await stream.write({ data });
        }
        if (body.stream_options?.include_usage === true) await stream.write({ data: completion.usageChunk() });
        await stream.done();
      });
      return undefined;
    },
  });
}

function responseRoutes(app: NetraApp): void {
  route(app, 'createOpenAiResponse', {
    ...common,
    body: createResponseRequest,
    async handle({ ctx, body, request, reply }) {
      const input = questionOf(body.input, body.netra_input);
      const after = body.previous_response_id ?? null;
      const { run } = await start(ctx, request, { ...asked(body), input, told: toldOf(body.input), after });
      if (body.stream === true) {
        const tail = await openRun({ ctx, run });
        return streaming(openEventStream(reply), (stream) => sendResponse(run, tail, -1, stream));
      }
      return tellResponse(ctx, run, body.background === true ? 'now' : 'end');
    },
  });
  route(app, 'readOpenAiResponse', {
    ...common,
    params: responseParams,
    query: readResponseQuery,
    async handle({ ctx, params, query, reply }) {
      const { run_id } = await readRun({ ctx, input: { run: runOfResponse(params.response) } });
      if (!query.stream) return tellResponse(ctx, run_id, 'now');
      const after = query.starting_after ?? -1;
      const tail = await openRun({ ctx, run: run_id });
      return streaming(openEventStream(reply), (stream) => sendResponse(run_id, tail, after, stream));
    },
  });
  route(app, 'cancelOpenAiResponse', {
    ...common,
    params: responseParams,
    async handle({ ctx, params }) {
      const run = runOfResponse(params.response);
      await requestCancel({ ctx, input: { run } });
      return tellResponse(ctx, run, 'end');
    },
  });
}

interface Question {
  readonly agent: string;
  readonly input: unknown;
  readonly max_credits_micro: string | undefined;
  readonly if_busy: IfBusy | undefined;
  /** The messages of the request: this API has no conversations of its own, so each request brings one along. */
  readonly told: readonly Told[];
  /** The response whose conversation this goes on in; then `told` is known here already. */
  readonly after: string | null;
}

function asked(body: {
  readonly model: string;
  readonly netra_max_credits_micro?: string | undefined;
  readonly netra_if_busy?: IfBusy | undefined;
}) {
  return { agent: body.model, max_credits_micro: body.netra_max_credits_micro, if_busy: body.netra_if_busy };
}

/** A retry of the client carries the same `Idempotency-Key`, if the application gave it one. */
async function start(ctx: Ctx, request: FastifyRequest, { after, told, ...rest }: Question): Promise<{ run: string }> {
  const header = request.headers['idempotency-key'];
  const key = typeof header === 'string' && header !== '' ? header : ctx.platform.ids.uuid();
  if (after === null) return startRun(ctx, { wire: 'openai', thread: await threadFor(ctx, key, told), ...rest, key });
  const { thread_id } = await readRun({ ctx, input: { run: runOfResponse(after) } });
  return startRun(ctx, { wire: 'openai', thread: thread_id, ...rest, key });
}

/** Null = a new one, for who brings nothing along. The same request again finds its own: it is part of the thread's key. */
async function threadFor(ctx: Ctx, key: string, messages: readonly Told[]): Promise<string | null> {
  const told = toldBefore(messages);
  if (told.length === 0) return null;
  const hash = createHash('sha256').update(JSON.stringify(told)).digest('base64url');
  return openConversation(ctx, 'openai', `${key}/${hash}`, told);
}

async function tellResponse(ctx: Ctx, run: string, until: 'end' | 'now'): Promise<Readonly<Record<string, unknown>>> {
  const told = new ResponseOfRun(run);
  const tail = await openRun({ ctx, run });
  for await (const event of followRun({ tail, until, signal: never })) told.push(event);
  return told.response();
}

async function sendResponse(run: string, tail: Tail, after: number, stream: EventStream): Promise<void> {
  const told = new ResponseOfRun(run);
  for await (const event of followRun({ tail, signal: stream.signal })) {
    for (const data of told.push(event)) {
      if (data.sequence_number > after) await stream.write({ type: data.type, data });
    }
  }
}

async function streaming(stream: EventStream, send: (stream: EventStream) => Promise<void>): Promise<undefined> {
  try {
    await send(stream);
  } finally {
    stream.end();
  }
}

function failureOf({ code, message }: { readonly code: string; readonly message: string }): NetraError {
  return new NetraError(isErrorCode(code) ? code : 'conflict', message);
}
