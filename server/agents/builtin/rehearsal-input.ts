import { z } from 'zod';

const max_deltas = 20_000;

/** What a rehearsal does. Bounded, since it is a load generator in the hands of a caller. */
export const rehearsalInput = z
  .object({
    steps: z.int().min(1).max(1_000).default(2),
    /** Text deltas in each step. */
    deltas: z.int().min(0).max(1_000).default(1),
    delta_bytes: z.int().min(1).max(8_192).default(16),
    /** How long each step lasts. */
    step_ms: z.int().min(0).max(60_000).default(0),
    /** What each step but the last calls: a wait, work for the CPU, or nothing; then all steps are one of text only. */
    tool: z.enum(['none', 'wait', 'hash']).default('wait'),
  })
  .strict()
  .refine((input) => input.steps * input.deltas <= max_deltas, `steps × deltas may be at most ${max_deltas}`)
  .nullish()
  .transform((input) => input ?? rehearsal_defaults);

export interface RehearsalInput {
  readonly steps: number;
  readonly deltas: number;
  readonly delta_bytes: number;
  readonly step_ms: number;
  readonly tool: 'none' | 'wait' | 'hash';
}

const rehearsal_defaults: RehearsalInput = { steps: 2, deltas: 1, delta_bytes: 16, step_ms: 0, tool: 'wait' };
