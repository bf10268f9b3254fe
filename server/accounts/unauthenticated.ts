import { NetraError } from '@netra/contract';

/** One answer for every credential that does not count: it never says which part of it was wrong. */
export function unauthenticated(): NetraError {
  return new NetraError('unauthenticated', 'The token is not valid');
}
