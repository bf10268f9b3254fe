import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashSource } from './hash-source.ts';

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('hashSource', () => {
  it('hands a file on unchanged, and hashes the whole of it however it is cut', async () => {
    const source = hashSource(parts('a', 'bc', ''));
    expect(await textOf(source.bytes)).toBe('abc');
    expect(source.hash()).toBe(createHash('sha256').update('abc').digest('hex'));
  });

  // Planted bug that turns it red: the limit asked after the chunk is handed on.
  it('refuses a file over the limit as soon as it is, with the limit', async () => {
    const block = 'x'.repeat(2 ** 20);
    const limit = 2 ** 21;
    expect(await textOf(hashSource(parts(block, block), limit).bytes)).toHaveLength(limit);
    const source = parts(block, block, 'y', block);
    const reading = textOf(hashSource(source, limit).bytes);
    await expect(reading).rejects.toMatchObject({ code: 'payload_too_large', detail: { max_bytes: limit } });
    expect((await source.next()).done).toBe(true);
  });
});
