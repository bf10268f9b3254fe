import { errorCatalogue, NetraError, type ErrorCode } from '@netra/contract';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { toWire } from './to-wire.ts';

/** What fastify says of a request it refuses itself, in the words of the catalogue. Never its message: it may echo. */
const frameworkCodes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is larger than this operation takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send application/json, or what the operation documents.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_request', 'The body is empty; send a JSON object.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_request', 'The body is not valid JSON.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path is not a valid URL path.'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_request', 'A part of the path is too long.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request is not valid.'],
  FST_ERR_HANDLER_TIMEOUT: ['unavailable', 'The answer took too long; try again.'],
};

/**
 * Any thrown value as a NetraError. What is not deliberate becomes `internal` without a word of its message: a driver's
 * message may carry SQL, a DSN or another tenant's value. The original stays as `cause`, for the log.
 */
export function toNetraError(error: unknown): NetraError {
  if (error instanceof NetraError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validationContext ?? 'body';
    const fields = error.validation.flatMap((issue) =>
      pathsOf(issue).map((path) => ({ in: where, path, problem: issue.keyword })),
    );
    const part = partNames[where] ?? where;
    return new NetraError('invalid_request', `The ${part} does not match the schema; see fields.`, { fields });
  }
  const code = codeOf(error);
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known) return new NetraError(known[0], known[1], {}, { cause: error });
  if (error instanceof SyntaxError && statusOf(error) === 400) {
    return new NetraError('invalid_request', 'The body is not valid JSON.', {}, { cause: error });
  }
  return new NetraError(
    'internal',
    'Something went wrong on our side. Quote the trace id if you ask us about it.',
    {},
    {
      cause: error,
    },
  );
}

/** What people call the parts of a request. */
const partNames: Readonly<Record<string, string>> = { params: 'path', querystring: 'query' };

/** A plain word: what a caller chose may be repeated only if it can mean nothing to whoever shows it. */
const plainName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Where the fault is; for members that no schema names, their own places, as far as their names are plain words. */
function pathsOf({ instancePath, params }: { readonly instancePath: string; readonly params: object }): string[] {
  if (!('keys' in params) || !Array.isArray(params.keys)) return [instancePath];
  const names = params.keys.filter((key): key is string => typeof key === 'string' && plainName.test(key));
  return names.length === 0 ? [instancePath] : names.map((name) => `${instancePath.replace(/\/$/, '')}/${name}`);
}

/** The body of a refusal (RFC 9457 §3.1): standard members win over facts of the same name. */
export function toProblem(error: NetraError, trace_id: string): Record<string, unknown> {
  return {
    ...(toWire(error.detail) as Record<string, unknown>),
    type: `urn:netra:error:${error.code}`,
    title: errorCatalogue[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    trace_id,
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function statusOf(error: Error): unknown {
  return 'statusCode' in error ? error.statusCode : undefined;
}
