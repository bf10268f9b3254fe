import { APICallError } from '@ai-sdk/provider';

/** The model answered wrongly, or not to the end. */
export class ModelFailure extends Error {
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModelFailure';
    this.retryable = retryable;
  }
}

/** Too slow, too many requests; the rest of 4xx says that this request is wrong, and stays so. */
const passing4xx: ReadonlySet<number> = new Set([408, 429]);
/** Of sockets: the endpoint is away, or went away. */
const brokenSocket = /^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|EAI_AGAIN|UND_ERR_\w+)$/;

/** Whether the same call may succeed later: by the answer's status, and for connections that broke or were silent. */
export function isRetryableModelError(error: unknown): boolean {
  if (error instanceof ModelFailure) return error.retryable;
  if (APICallError.isInstance(error)) {
    const { statusCode } = error;
    if (statusCode === undefined) return error.isRetryable;
    // A status of success: the answer began, and could not be read to its end.
    return statusCode < 400 || statusCode >= 500 || passing4xx.has(statusCode);
  }
  if (error instanceof TypeError && (error.message === 'terminated' || error.message === 'fetch failed')) return true;
  return error instanceof Error && 'code' in error && brokenSocket.test(String(error.code));
}

const unreadable = 'its answer could not be read';

/** What may be shown of a model's failure: never the request, the address or the provider's own text. */
export function describeModelError(error: unknown): string {
  if (error instanceof ModelFailure) return error.message;
  if (APICallError.isInstance(error)) {
    const { statusCode } = error;
    if (statusCode === undefined) return 'the model could not be reached';
    return statusCode < 400 ? `the model answered, and ${unreadable}` : `the model answered with status ${statusCode}`;
  }
  return `the model could not be reached, or ${unreadable}`;
}
