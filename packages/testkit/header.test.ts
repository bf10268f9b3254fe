import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readValueHeader } from './header.ts';

describe('readValueHeader', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netra-header-'));
  const path = join(folder, 'some.test.ts');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads the four lines of the first comment', () => {
    writeFileSync(
      path,
      '/**\n * Business value\n * Segment: all\n * Goal: trust\n * Value: no lost credit\n * Strategic impact: renewals\n */\n',
    );
    expect(readValueHeader(path)).toEqual({
      segment: 'all',
      goal: 'trust',
      value: 'no lost credit',
      impact: 'renewals',
    });
  });

  // Planted bug that turns it red: a search of the whole file instead of its first comment.
  it('names each line that is missing', () => {
    writeFileSync(path, '/**\n * Segment: all\n */\nconst a = 1;\n/**\n * Goal: late\n */\n');
    expect(() => readValueHeader(path)).toThrow('lacks goal, value, impact');
  });
});
