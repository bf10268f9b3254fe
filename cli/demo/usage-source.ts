import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { maxUsageFileBytes } from '@netra/contract';
import { streamServerCommand } from '../server-process.ts';

/** What to import: the user's own file, or the built-in synthetic sample. */
export interface UsageSource {
  /** How people read it: a file's name, or that it is synthetic. */
  readonly label: string;
  readonly format: 'auto' | 'csv' | 'ndjson' | 'litellm' | 'langfuse';
  readonly map: string | undefined;
  readonly model: string | undefined;
  readonly user: string | undefined;
  readonly skip_bad: boolean;
  /** Generated, not measured: everything that shows it says so. */
  readonly synthetic: boolean;
  open(): Readable;
}

export interface UsageOptions {
  readonly file?: string;
  readonly format: 'auto' | 'csv' | 'jsonl' | 'litellm' | 'langfuse';
  readonly map?: string;
  readonly model?: string;
  readonly user?: string;
  readonly skipBad?: boolean;
  readonly seed: string;
}

/** Checks that a file is there and readable before anything is started; throws an Error that says what to do. */
export async function usageSource(options: UsageOptions): Promise<UsageSource> {
  const { file, seed } = options;
  if (file === undefined) {
    return {
      label: `a synthetic month of usage (seed ${seed}, known inefficiencies planted)`,
      format: 'csv',
      map: undefined,
      model: undefined,
      user: undefined,
      skip_bad: false,
      synthetic: true,
      open: () => streamServerCommand(['sample', '--seed', seed]),
    };
  }
  await assertReadable(file);
  return {
    label: file,
    format: options.format === 'jsonl' ? 'ndjson' : options.format,
    map: options.map,
    model: options.model,
    user: options.user,
    skip_bad: options.skipBad === true,
    synthetic: false,
    open: () => createReadStream(file),
  };
}

async function assertReadable(file: string): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : error.message;
    throw new UsageError(`cannot read ${file}: ${reason}. Give the path of a CSV or JSONL file with --file.`);
  });
  if (!found.isFile()) throw new UsageError(`cannot read ${file}: it is not a file.`);
  if (found.size > maxUsageFileBytes) {
    throw new UsageError(
      `cannot import ${file}: it has ${found.size} bytes, at most ${maxUsageFileBytes} (2 GiB) fit. Split it.`,
    );
  }
  if (found.size === 0) throw new UsageError(`cannot import ${file}: it is empty.`);
}

/** A mistake of the caller's that is shown without a stack. */
export class UsageError extends Error {}
