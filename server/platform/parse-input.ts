import { NetraError } from '@netra/contract';
import type { z } from 'zod';

/** A verb's input as `schema` has it; throws `invalid_request` that names every field that is wrong. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
  throw new NetraError('invalid_request', `The input is not valid: ${fields.join('; ')}.`, { fields });
}
