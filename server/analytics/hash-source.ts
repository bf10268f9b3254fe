import { createHash } from 'node:crypto';
import { maxUsageFileBytes, NetraError } from '@netra/contract';

export interface HashedSource {
  /** The source's bytes, to be read once. Throws payload_too_large beyond the limit. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** SHA-256 of what was read so far, in hex. */
  hash(): string;
}

/** Hashes and measures a file while it goes by. */
export function hashSource(source: AsyncIterable<Uint8Array>, max_bytes = maxUsageFileBytes): HashedSource {
  const sha256 = createHash('sha256');
  async function* pass(): AsyncGenerator<Uint8Array> {
    let size_bytes = 0;
    for await (const chunk of source) {
      size_bytes += chunk.length;
      if (size_bytes > max_bytes) throw tooLarge(max_bytes);
      sha256.update(chunk);
      yield chunk;
    }
  }
  return { bytes: pass(), hash: () => sha256.copy().digest('hex') };
}

function tooLarge(max_bytes: number): NetraError {
  const message = `A usage file may have at most ${max_bytes / 2 ** 30} GiB; split it into several`;
  return new NetraError('payload_too_large', message, { max_bytes });
}
