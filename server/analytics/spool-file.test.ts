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

describe('a spool file', () => {
  // Planted bug that turns it red: unlink at close instead of at open.
  it('gives back what was appended, and has no name that a killed process could leave', async () => {
    const file = await openSpoolFile(folder, 'one');
    for (const text of ['a', 'bc', '', 'def']) await file.append(Buffer.from(text));
    expect(file.size).toBe(6);
    expect(String(await file.read(0, 6))).toBe('abcdef');
    expect(String(await file.read(1, 4))).toBe('bcd');
    expect(String(await file.read(3, 3))).toBe('');
    await expect(file.read(3, 7)).rejects.toThrow('ends before 7');
    expect(await readdir(folder)).toEqual([]);
    await file.close();
  });
});
