import type { JSONSchema7 } from '@ai-sdk/provider';
import { NetraError } from '@netra/contract';
import { z } from 'zod';
import type { ToolCall as OwnCall } from '@netra/agent';
import type { Tool } from '../define-tool.ts';
import { limitTime } from '../limit-time.ts';
import type { CheckedTool } from './agent-schema.ts';

/** A tool of a file: it sees its call, and nothing of the server. */
export function ownTool(tool: CheckedTool): Tool {
  const { name, description, effects, input: schema, approval, timeout_ms, max_output_bytes } = tool;
  const execute = tool.execute as unknown as (call: OwnCall<unknown>) => unknown;
  const needsApproval = approval as unknown as 'never' | 'always' | ((input: unknown) => boolean);
  return {
    name,
    description,
    effects,
    max_output_bytes,
    input_schema: z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) as JSONSchema7,
    needsApproval(input) {
      if (typeof needsApproval === 'string') return needsApproval === 'always';
      const parsed = schema.safeParse(input);
      return parsed.success && needsApproval(parsed.data);
    },
    prepare(input) {
      const parsed = schema.safeParse(input);
      if (!parsed.success) return { ok: false, message: z.prettifyError(parsed.error) };
      return {
        ok: true,
        async execute({ ctx, signal, idempotency_key }) {
          const [run = ''] = idempotency_key.split('/');
          const { org_id: org, user_id: user } = ctx.principal;
          try {
            return await limitTime({ name, timeout_ms, signal }, async (limited) =>
              execute({ input: parsed.data, signal: limited, idempotency_key, run, org, user }),
            );
          } catch (error) {
            throw toldOf(error, name, signal);
          }
        },
      };
    },
  };
}

const max_message = 2_000;

/** What a tool throws is for its model: its author wrote it. Anything but an Error says nothing. */
function toldOf(error: unknown, name: string, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof NetraError || !(error instanceof Error)) return error;
  const message = error.message === '' ? `the tool ${name} failed` : error.message.slice(0, max_message);
  return new NetraError('tool_failed', message, {}, { cause: error });
}
