import { NetraError, problem } from '@netra/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Ctx } from '../platform/index.ts';
import { ctxOf, type PublicCtx } from './caller.ts';
import { idempotencyKeyOf } from './idempotency-key.ts';
import { operations, type OperationName } from './operations.ts';
import type { NetraApp } from './index.ts';
import { countPublicRequest, writeRateHeaders } from './request-rate.ts';
import { toWire, type Wireable } from './to-wire.ts';

type Operations = typeof operations;
type CtxFor<Name extends OperationName> = Operations[Name]['access'] extends 'tenant' ? Ctx : PublicCtx;
type KeyFor<Name extends OperationName> = Operations[Name]['creates'] extends true ? string : undefined;

/** What a handler is given: everything parsed, the caller authenticated, its request counted. */
export interface Call<Name extends OperationName, Params, Query, Body> {
  readonly ctx: CtxFor<Name>;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The `Idempotency-Key` of an operation that creates. */
  readonly idempotency_key: KeyFor<Name>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Adds to the body of a refusal; what is there stays. */
export type ProblemShape = (problem: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

declare module 'fastify' {
  interface FastifyContextConfig {
    problemShape?: ProblemShape;
    signature?: string;
    rawJson?: boolean;
  }
}

interface Route<Name extends OperationName, Params, Query, Body, Response extends z.ZodType> {
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  /** Absent for operations without a body, and for uploads, which read `request.body` as a stream. */
  readonly body?: z.ZodType<Body>;
  readonly response: Response;
  /** Largest body in bytes, where the server's own limit does not fit. */
  readonly bodyLimit?: number;
  /**
   * Of a signed operation: the header that has the signature. `request.body` is then the JSON as a Buffer. A verb that
   * finds the signature wrong throws `invalid_request`.
   */
  readonly signature?: Lowercase<string>;
  /** `request.body` is the JSON as a Buffer: it may be packed, and is read by the verb. */
  readonly rawJson?: boolean;
  /** Longest time to the answer. 0 = none: for streams. */
  readonly timeout_ms?: number;
  /** Dresses a refusal for clients that look elsewhere for it than RFC 9457 says. */
  readonly problemShape?: ProblemShape;
  /** One call of a verb. A handler that has taken the connection over (`reply.hijack()`) answers undefined. */
  handle(call: Call<Name, Params, Query, Body>): Promise<Wireable<z.input<Response>> | undefined>;
}

const defaultTimeout_ms = 30_000;

/** Gives an operation its schemas and its verb. */
export function route<
  const Name extends OperationName,
  Response extends z.ZodType,
  Params = undefined,
  Query = undefined,
  Body = undefined,
>(app: NetraApp, name: Name, spec: Route<Name, Params, Query, Body, Response>): void {
  const operation = operations[name];
  const { timeout_ms = defaultTimeout_ms } = spec;
  app.route({
    method: operation.method,
    url: operation.url,
    schema: {
      operationId: name,
      summary: operation.summary,
      tags: [operation.tag],
      ...(operation.access === 'tenant' ? { security: [{ bearer: [] }] } : {}),
      ...(spec.params ? { params: spec.params } : {}),
      ...(spec.query ? { querystring: strictly(spec.query) } : {}),
      ...(spec.body ? { body: strictly(spec.body) } : {}),
      response: {
        [operation.status]: spec.response,
        default: { description: 'A refusal (RFC 9457)', content: { 'application/problem+json': { schema: problem } } },
      },
    },
    ...(spec.bodyLimit === undefined ? {} : { bodyLimit: spec.bodyLimit }),
    config: {
      ...(spec.problemShape === undefined ? {} : { problemShape: spec.problemShape }),
      ...(spec.signature === undefined ? {} : { signature: spec.signature }),
      ...(spec.rawJson === true ? { rawJson: true } : {}),
    },
    // Not the server's option: fastify lets no route take that back.
    ...(timeout_ms === 0 ? {} : { handlerTimeout: timeout_ms }),
    // Authenticated before the body is read: a stranger's upload is never buffered.
    onRequest: async (request, reply) => admit(app, name, request, reply),
    handler: async (request, reply) => {
      const call = {
        ctx: request.netra_ctx,
        params: request.params,
        query: request.query,
        body: request.body,
        idempotency_key: operation.creates ? idempotencyKeyOf(request.headers['idempotency-key']) : undefined,
        request,
        reply,
        // The validators have just made these types true; fastify cannot carry them through a generic function.
      } as unknown as Call<Name, Params, Query, Body>;
      const answer = await (operation.access === 'signed'
        ? countUnsigned(app, request, reply, () => spec.handle(call))
        : spec.handle(call));
      if (reply.sent) return reply;
      return reply.code(operation.status).send(toWire(answer));
    },
  });
}

/**
 * Refuses members that the schema does not name: a misspelt one would be dropped without a word, and the caller billed
 * without the VAT id, or the cap, that they believe they set. A `looseObject`, for other people's clients, stays loose.
 */
function strictly<T>(schema: z.ZodType<T>): z.ZodType {
  return schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema;
}

/** Who calls, and may it: authenticates, counts the request, and leaves the context on the request. */
async function admit(app: NetraApp, name: OperationName, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { platform, accounts, plans, publicLimit } = app.netra;
  if (operations[name].access === 'public') {
    request.netra_ctx = { platform, trace_id: request.id };
    writeRateHeaders(reply, 'address', await countPublicRequest(platform, publicLimit, request.ip));
    return;
  }
  if (operations[name].access === 'signed') {
    request.netra_ctx = { platform, trace_id: request.id };
    const { signature = '' } = request.routeOptions.config;
    if (typeof request.headers[signature] === 'string') return;
    // Before its body is read.
    writeRateHeaders(reply, 'address', await countPublicRequest(platform, publicLimit, request.ip));
    throw new NetraError('invalid_request', `Send the event with its ${signature} header.`, { header: signature });
  }
  const ctx = await ctxOf(platform, accounts, request);
  request.netra_ctx = ctx;
  writeRateHeaders(reply, 'plan', await plans.checkRequestRate({ ctx }));
}

/** A good signature costs its sender nothing of what an address may ask; another does, and is told when that is used up. */
async function countUnsigned<T>(
  app: NetraApp,
  request: FastifyRequest,
  reply: FastifyReply,
  handle: () => Promise<T>,
): Promise<T> {
  try {
    return await handle();
  } catch (error) {
    if (!(error instanceof NetraError) || error.code !== 'invalid_request') throw error;
    const { platform, publicLimit } = app.netra;
    writeRateHeaders(reply, 'address', await countPublicRequest(platform, publicLimit, request.ip));
    throw error;
  }
}
