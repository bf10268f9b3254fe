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

/** Whether the same call may succeed later: by the provider's own class, and for connections that broke. */
export function isRetryableModelError(error: unknown): boolean {
  if (error instanceof ModelFailure) return error.retryable;
  if (APICallError.isInstance(error)) return error.isRetryable;
  return error instanceof TypeError && (error.message === 'terminated' || error.message === 'fetch failed');
}

/** What may be shown of a model's failure: never the request, the address or the provider's own text. */
export function describeModelError(error: unknown): string {
  if (error instanceof ModelFailure) return error.message;
  if (APICallError.isInstance(error)) {
    const { statusCode } = error;
    return statusCode === undefined ? 'the model could not be reached' : `the model answered with status ${statusCode}`;
  }
  return 'the model could not be reached, or its answer could not be read';
}
