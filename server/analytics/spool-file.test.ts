import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSpoolFile } from './spool-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netra-spool-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a spool file', () => {
  // Planted bug that turns it red: unlink at close instead of at open.
  it('gives back what went through, and has no name that a killed process could leave', async () => {
    const file = await openSpoolFile(folder, 'one');
    expect(await textOf(file.through(parts('a', 'bc', '')))).toBe('abc');
    expect(await textOf(file.read())).toBe('abc');
    expect(await textOf(file.read())).toBe('abc');
    expect(file.hash()).toBe(createHash('sha256').update('abc').digest('hex'));
    expect(await readdir(folder)).toEqual([]);
    await file.close();
  });

  it('refuses a file over the limit as soon as it is, with the limit', async () => {
    const file = await openSpoolFile(folder, 'two', 2 ** 21);
    const block = 'x'.repeat(2 ** 20);
    const reading = textOf(file.through(parts(block, block, 'y', block)));
    await expect(reading).rejects.toMatchObject({ code: 'payload_too_large', detail: { max_bytes: 2 ** 21 } });
    await file.close();
  });
});
