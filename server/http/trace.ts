import { randomBytes } from 'node:crypto';

// W3C Trace Context §3.2: version "-" trace-id "-" parent-id "-" flags; an all-zero trace id is invalid.
const traceparent = /^[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/;

/** The caller's trace id, if its `traceparent` header holds a valid one, else a new one. 32 hex digits. */
export function traceIdOf(header: string | undefined): string {
  return (header === undefined ? undefined : traceparent.exec(header)?.[1]) ?? randomBytes(16).toString('hex');
}
