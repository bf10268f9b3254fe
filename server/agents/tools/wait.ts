import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { defineTool } from '../define-tool.ts';

/** Waits, abortably. 0 ms takes no timer. */
export const waitTool = defineTool({
  name: 'wait',
  description: 'Waits for a number of milliseconds.',
  effects: 'none',
  input: z.object({ wait_ms: z.int().min(0).max(60_000) }),
  async execute({ input, signal }) {
    if (input.wait_ms > 0) await sleep(input.wait_ms, undefined, { signal });
    return { waited_ms: input.wait_ms };
  },
});
