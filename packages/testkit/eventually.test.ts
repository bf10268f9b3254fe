import { describe, expect, it } from 'vitest';
import { eventually } from './eventually.ts';

describe('eventually', () => {
  it('resolves to what the probe found, after failures too', async () => {
    let asked = 0;
    const found = await eventually(
      'the third answer',
      () => {
        asked += 1;
        if (asked === 1) throw new Error('not yet');
        return asked === 3 ? 'found' : undefined;
      },
      { every_ms: 1 },
    );
    expect(found).toBe('found');
  });

  // Planted bug that turns it red: a deadline that is never looked at.
  it('fails at the deadline and says what it waited for, and why it failed last', async () => {
    const failure = await eventually(
      'a miracle',
      () => {
        throw new Error('none today');
      },
      { deadline_ms: 30, every_ms: 1 },
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: 'a miracle: not within 30 ms', cause: { message: 'none today' } });
  });
});
