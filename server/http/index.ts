import { asyncApiDocument } from '@netra/contract';
import fastifyCors from '@fastify/cors';
import fastifyHelmet from '@fastify/helmet';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Authenticator, Platform } from '../platform/index.ts';
import { answerErrors } from './answer-errors.ts';
import { acceptUploads, keepSignedBodies } from './accept-uploads.ts';
import type { PublicCtx } from './caller.ts';
import { registerProbes, type Probes } from './probes.ts';
import { registerDocument } from './openapi.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';
import type { PublicLimit, RequestCounter } from './request-rate.ts';
import { traceIdOf } from './trace.ts';

export type { PublicCtx } from './caller.ts';
export type { Probes } from './probes.ts';
export { operations, type OperationName } from './operations.ts';
export type { PublicLimit, RequestCounter, RequestRate } from './request-rate.ts';
export { route, type Call, type ProblemShape } from './route.ts';
export { sendFile } from './send-file.ts';
export { sendLines } from './send-lines.ts';
export { openEventStream, parseLastEventId, type EventStream } from './sse.ts';

/** What the routes stand on; they reach it through `app.netra`. */
export interface HttpOptions {
  readonly platform: Platform;
  readonly accounts: Authenticator;
  readonly plans: RequestCounter;
  /** Route files of `routes/`: each gives some operations their verbs. */
  readonly routes: readonly ((app: NetraApp) => void)[];
  /** Origins of browsers that may call us, exactly as a browser sends them. Empty = none. */
  readonly origins: readonly string[];
  readonly probes: Probes;
  readonly publicLimit?: PublicLimit;
}

declare module 'fastify' {
  interface FastifyInstance {
    netra: Required<HttpOptions>;
    /** Ends each open event stream, which would else keep a closing server open; its reader waits before it comes back. */
    eventStreams: Set<(retry_ms: number) => void>;
  }
  interface FastifyRequest {
    /** Set by `route`: a `Ctx`, or a `PublicCtx` where nobody has signed in. */
    netra_ctx: PublicCtx;
  }
}

export type NetraApp = FastifyInstance;

/** JSON bodies are small; uploads state their own limit. */
const maxBody_bytes = 1024 * 1024;
/** Readers of a node that goes away come back within so long; each node that stays takes a thousand a second. */
const maxSpread_ms = 5_000;
const asyncApi = asyncApiDocument();
const defaultPublicLimit: PublicLimit = { max: 1200, window_ms: 60_000 };

/**
 * The REST surface: routes from `routes/`, OpenAPI 3.1 from their schemas at /openapi.json, errors as RFC 9457. Not
 * listening yet: main.ts does that, and hangs the WebSocket on `app.server`. `app.close()` ends it gracefully.
 */
export async function createHttp(options: HttpOptions): Promise<NetraApp> {
  const app = fastify({
    logger: false,
    bodyLimit: maxBody_bytes,
    // Slow clients: headers in 20 s (below), the whole request in 10 min (a large upload), an idle connection 72 s.
    requestTimeout: 600_000,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    // A request that came in while we close is answered: the last one on its connection.
    return503OnClosing: false,
    genReqId: (request) => traceIdOf(header(request.headers['traceparent'])),
    ...answerErrors.beforeRouting(options.platform),
  });
  app.server.headersTimeout = 20_000;
  app.decorate('netra', { publicLimit: defaultPublicLimit, ...options });
  app.decorate('eventStreams', new Set<(retry_ms: number) => void>());
  app.addHook('preClose', async () => {
    // Not all at once: they all turn to the nodes that stay.
    const spread_ms = Math.min(maxSpread_ms, app.eventStreams.size);
    for (const end of app.eventStreams) end(Math.ceil(options.platform.random() * spread_ms));
  });
  app.decorateRequest('netra_ctx');
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerErrors.register(app);
  acceptUploads(app);
  keepSignedBodies(app);
  await registerHeaders(app, options.origins);
  await registerDocument(app, options.platform.config.public_url);
  refuseOtherMethods(app, () => {
    registerProbes(app, options.probes);
    for (const register of options.routes) register(app);
    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    app.get('/asyncapi.json', { schema: { hide: true } }, () => asyncApi);
  });
  return app;
}

/** Browser rules: exact origins only, and never a wildcard, so that credentials stay possible (Fetch §3.2). */
async function registerHeaders(app: NetraApp, origins: readonly string[]): Promise<void> {
  await app.register(fastifyHelmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    frameguard: { action: 'deny' },
  });
  await app.register(fastifyCors, {
    origin: [...origins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID', 'traceparent'],
    exposedHeaders: ['RateLimit', 'RateLimit-Policy', 'Retry-After', 'Netra-Trace-Id'],
    maxAge: 600,
  });
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('Netra-Trace-Id', request.id);
  });
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
