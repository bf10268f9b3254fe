import { mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file of our own that holds what is prepared until all of it may be used. */
export interface SpoolFile {
  /** Bytes that were given to `append`. */
  readonly size: number;
  append(bytes: Uint8Array): Promise<void>;
  /** The bytes from `from` up to `to`. */
  read(from: number, to: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Opens one in `folder`. It has no name from the start, so that a killed process leaves nothing behind. */
export async function openSpoolFile(folder: string, name: string): Promise<SpoolFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.spool`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  let size = 0;
  return {
    get size() {
      return size;
    },
    async append(bytes) {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, size + done);
        done += bytesWritten;
      }
      size += bytes.length;
    },
    async read(from, to) {
      const bytes = Buffer.allocUnsafe(to - from);
      for (let done = 0; done < bytes.length;) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, from + done);
        if (bytesRead === 0) throw new Error(`the spool file ends before ${to}`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}
