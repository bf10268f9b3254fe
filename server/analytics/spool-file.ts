import { createHash } from 'node:crypto';
import { mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { NetraError } from '@netra/contract';

/** The largest usage file, 2 GiB: about 50 million calls. */
const maxFileBytes = 2 ** 31;
const readBytes = 256 * 1024;

/** A file that is kept until it has been read twice: once to check it, once to insert it. */
export interface SpoolFile {
  /** Hands the bytes on while it keeps them. Throws payload_too_large beyond `max_bytes`. */
  through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
  /** The bytes again, from the start. */
  read(): AsyncGenerator<Uint8Array>;
  /** SHA-256 of everything that went through, in hex. */
  hash(): string;
  close(): Promise<void>;
}

/** Opens one in `folder`. It has no name from the start, so that a killed process leaves nothing behind. */
export async function openSpoolFile(folder: string, name: string, max_bytes = maxFileBytes): Promise<SpoolFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.spool`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  const sha256 = createHash('sha256');
  let size = 0;
  return {
    async *through(source) {
      for await (const chunk of source) {
        if (size + chunk.length > max_bytes) throw tooLarge(max_bytes);
        sha256.update(chunk);
        await file.write(chunk, 0, chunk.length, size);
        size += chunk.length;
        yield chunk;
      }
    },
    async *read() {
      for (let at = 0; at < size;) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
    hash: () => sha256.copy().digest('hex'),
    close: () => file.close(),
  };
}

function tooLarge(max_bytes: number): NetraError {
  const message = `A usage file may have at most ${max_bytes / 2 ** 30} GiB; split it into several`;
  return new NetraError('payload_too_large', message, { max_bytes });
}
