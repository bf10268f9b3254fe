import { NetraError } from '@netra/contract';
import type { FastifyError, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify';
import type { Platform } from '../platform/index.ts';
import type { NetraApp } from './index.ts';
import { toNetraError, toProblem } from './problem.ts';
import { writeRetryAfter } from './request-rate.ts';

/** Every refusal leaves through here as `application/problem+json`; every unknown error is logged whole, once. */
export const answerErrors = { beforeRouting, register };

const bareHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "default-src 'none';frame-ancestors 'none'",
};

function register(app: NetraApp): void {
  app.setErrorHandler((error: FastifyError, request, reply) => answer(app.netra.platform, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    answer(app.netra.platform, new NetraError('not_found', 'There is nothing at this path.'), request, reply),
  );
}

/** Errors before a route is known: a URL or bytes that no route could have been found for. */
function beforeRouting(platform: Platform): Pick<FastifyServerOptions, 'frameworkErrors' | 'clientErrorHandler'> {
  return {
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      answer(platform, error, request, reply),
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) return;
      const [status, code] = statusOfClientError(error.code);
      const body = JSON.stringify({ type: `urn:netra:error:${code}`, title: 'Not valid HTTP', status, code });
      // Nothing of the request is repeated: it was not even HTTP.
      socket.end(
        `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  };
}

function statusOfClientError(code: string | undefined): readonly [number, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'payload_too_large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'invalid_request'];
  return [400, 'invalid_request'];
}

function answer(platform: Platform, thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toNetraError(thrown);
  if (error.code === 'internal') {
    platform.log.error({ trace_id: request.id, method: request.method, err: error.cause }, 'request failed');
  }
  writeRetryAfter(reply, error);
  if (error.status === 401) void reply.header('WWW-Authenticate', 'Bearer');
  const allow = error.detail['allow'];
  if (error.code === 'method_not_allowed' && typeof allow === 'string') void reply.header('Allow', allow);
  // A URL that is none is refused before any hook has run.
  if (!reply.hasHeader('x-content-type-options')) void reply.headers(bareHeaders).header('Netra-Trace-Id', request.id);
  const problem = toProblem(error, request.id);
  // A URL that is none has no route.
  const shape = (request.routeOptions as typeof request.routeOptions | undefined)?.config.problemShape;
  const body = JSON.stringify(shape ? shape(problem) : problem);
  return reply.code(error.status).header('Content-Type', 'application/problem+json').send(body);
}
