import { NetraError } from '@netra/contract';

/**
 * The caller's `Idempotency-Key`: 1–255 visible ASCII characters. draft-ietf-httpapi-idempotency-key-header makes it a
 * structured string in double quotes, most clients send it bare: both name the same key.
 */
export function idempotencyKeyOf(header: string | string[] | undefined): string {
  if (typeof header !== 'string') {
    throw new NetraError('invalid_request', 'This operation creates something: send one Idempotency-Key header.', {
      header: 'Idempotency-Key',
    });
  }
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new NetraError('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters.', {
      header: 'Idempotency-Key',
    });
  }
  return key;
}
