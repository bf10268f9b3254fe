/**
 * The one catalogue of errors. A code is stable: clients branch on it, documents name it, tests assert it.
 *
 * - `status` is the HTTP status (RFC 9110); 402 = credits, 403 = plan or role, 409 = conflict, 429 = rate.
 * - `retryable` says that the same request may succeed later without a change by the caller.
 */
export const errorCatalogue = {
  invalid_request: { status: 400, title: 'The request is not valid', retryable: false },
  invalid_frame: { status: 400, title: 'The frame is not valid', retryable: false },
  invalid_usage_file: { status: 422, title: 'The usage file has rows that cannot be read', retryable: false },
  unauthenticated: { status: 401, title: 'Sign in first', retryable: false },
  token_expired: { status: 401, title: 'The token has expired', retryable: false },
  insufficient_credits: { status: 402, title: 'Not enough credits', retryable: false },
  spending_cap: { status: 402, title: 'A spending cap of your organisation is reached', retryable: false },
  budget_reached: { status: 402, title: 'The run has reached its own cap', retryable: false },
  forbidden: { status: 403, title: 'Your role does not allow this', retryable: false },
  plan_limit: { status: 403, title: 'Your plan does not allow this', retryable: false },
  agent_not_in_plan: { status: 403, title: 'Your plan does not include this agent', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  method_not_allowed: { status: 405, title: 'Method not allowed', retryable: false },
  conflict: { status: 409, title: 'The state does not allow this', retryable: false },
  thread_busy: { status: 409, title: 'The thread is busy with another run', retryable: true },
  idempotency_key_reused: { status: 409, title: 'This Idempotency-Key was used with another body', retryable: false },
  payload_too_large: { status: 413, title: 'Too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'Media type not supported', retryable: false },
  concurrent_runs: { status: 429, title: 'Too many runs at once for your plan', retryable: true },
  queue_full: { status: 429, title: 'Too many runs wait already', retryable: true },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something went wrong on our side', retryable: true },
  unavailable: { status: 503, title: 'Temporarily unavailable', retryable: true },
  draining: { status: 503, title: 'This node is going away; reconnect', retryable: true },
  fenced: { status: 409, title: 'Another worker has taken this run over', retryable: false },
  deadline_exceeded: { status: 504, title: 'The run took longer than its plan allows', retryable: false },
  approval_expired: { status: 409, title: 'Nobody answered in time', retryable: false },
  crash_loop: { status: 500, title: 'The run crashed its worker too often', retryable: false },
  model_failed: { status: 502, title: 'The model could not be reached or answered wrongly', retryable: true },
  remote_failed: { status: 502, title: 'The agent behind this one failed', retryable: true },
  tool_failed: { status: 502, title: 'A tool failed', retryable: false },
  config_invalid: { status: 500, title: 'The configuration is not valid', retryable: false },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Facts that help the caller mend the cause. Never secrets, never another tenant's data. */
export type ErrorDetail = Readonly<Record<string, unknown>>;

/** The limit that refused a request: what it is, how much is used, and which plan lifts it. */
export interface LimitRefusal {
  readonly limit: string;
  readonly used: string;
  readonly max: string;
  readonly plan_that_lifts_it: string | null;
}

/** The only error that rooms throw on purpose. `message` is shown to callers: what was wrong and what to do. */
export class NetraError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NetraError';
    this.code = code;
    this.detail = detail;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCatalogue, value);
}
