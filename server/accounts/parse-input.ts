import { NetraError } from '@netra/contract';
import { z } from 'zod';

/** The input in its shape; throws `invalid_request` that names each field that is wrong, and no value of it. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new NetraError('invalid_request', fields.join('; '), { fields });
}
