import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defineTool } from '../define-tool.ts';

const block = Buffer.alloc(1024, 7);

/** Burns a bounded, repeatable amount of CPU: each round hashes 1 KiB. */
export const hashTool = defineTool({
  name: 'hash',
  description: 'Hashes a block a number of times.',
  effects: 'none',
  input: z.object({ rounds: z.int().min(1).max(5_000) }),
  execute({ input }) {
    const hash = createHash('sha256');
    for (let round = 0; round < input.rounds; round += 1) hash.update(block);
    return Promise.resolve({ sha256: hash.digest('hex') });
  },
});
