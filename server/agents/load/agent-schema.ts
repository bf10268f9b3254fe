import { z } from 'zod';
import type { AgentDefinition, McpServer, RemoteAgentDefinition, ToolDefinition } from '@netra/agent';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower case letters, digits, _ and -, begin with a letter, at most 64');
const toolName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be letters, digits, _ and -, at most 64');
const words = z.string().trim().min(1, 'must not be empty').max(8_000);
const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'must be a function');
/** Also one of another copy of zod: what counts is what it can do. */
const aSchema = z.custom<z.ZodType>(
  (value) => typeof value === 'object' && value !== null && '_zod' in value && 'safeParse' in value,
  'must be a schema of zod 4',
);
const credits = z
  .union([z.number(), z.string()], 'must be credits: 2, or "0.5"')
  .transform(String)
  .pipe(z.string().regex(/^\d{1,9}(\.\d{1,6})?$/, 'must be credits with at most 6 decimals'))
  .refine((text) => Number(text) > 0, 'must be more than zero');
const effects = z.enum(['none', 'idempotent', 'once']);
const limit_ms = z.int().min(1).max(600_000).default(60_000);
const limit_bytes = z
  .int()
  .min(64)
  .max(192 * 1024)
  .default(64 * 1024);
const texts = z.record(z.string().min(1).max(200), z.string().max(8_000));

const terms = {
  name,
  title: words,
  description: words,
  fee: credits,
  plans: z.array(z.string()).max(100).optional(),
};

const tool = z.strictObject({
  kind: z.literal('netra.tool', 'must be made by defineTool'),
  definition: z.strictObject({
    name: toolName,
    description: words,
    effects,
    input: aSchema,
    approval: z.union([z.enum(['never', 'always']), aFunction], 'must be never, always or a function').default('never'),
    timeout_ms: limit_ms,
    max_output_bytes: limit_bytes,
    execute: aFunction,
  }),
});

const mcpTools = z
  .record(
    z.string().min(1).max(128),
    z.strictObject({
      effects: effects.default('once'),
      approval: z.enum(['never', 'always']).default('never'),
      as: toolName.optional(),
      timeout_ms: limit_ms,
      max_output_bytes: limit_bytes,
    }),
  )
  .refine((tools) => Object.keys(tools).length > 0, 'must name the tools that the agent may call');
const mcp = z.union(
  [
    z.strictObject({
      name: toolName,
      tools: mcpTools,
      command: z.string().min(1),
      args: z.array(z.string()).default([]),
      env: texts.default({}),
      cwd: z.string().min(1).optional(),
    }),
    z.strictObject({ name: toolName, tools: mcpTools, url: z.url(), headers: texts.default({}) }),
  ],
  'must be { name, tools, command, … } or { name, tools, url, … }',
);
export type CheckedMcp = z.output<typeof mcp>;

const model = z.union(
  [
    z.literal('default'),
    z.strictObject({ url: z.url(), name: z.string().min(1).max(200), key_env: z.string().min(1).optional() }),
  ],
  'must be "default" or { url, name, key_env }',
);

const whole = (most: number) => z.int().min(1).max(most).optional();
const bounds = z.strictObject({
  max_steps: whole(1_000),
  max_events: whole(25_000),
  max_prompt_tokens: whole(10_000_000),
  max_output_tokens: whole(1_000_000),
});

export const agentSchema = z
  .strictObject({
    ...terms,
    budget: credits.optional(),
    instructions: z.string().min(1).max(200_000).optional(),
    model: model.optional(),
    steps: aFunction.optional(),
    tools: z.array(tool).max(128).default([]),
    mcp: z.array(mcp).max(16).default([]),
    input: aSchema.optional(),
    question: aFunction.optional(),
    complete: aFunction.optional(),
    bounds: bounds.default({}),
  })
  .superRefine(({ model: chosen, steps, instructions, budget, fee }, issues) => {
    const say = (field: string, message: string): void => issues.addIssue({ code: 'custom', path: [field], message });
    if (chosen !== undefined && steps !== undefined) say('steps', 'an agent has a model or steps, not both');
    if (steps === undefined && instructions === undefined) say('instructions', 'a model needs them');
    if (budget !== undefined && Number(budget) < Number(fee)) say('budget', 'is less than the fee alone');
  });
export type CheckedAgent = z.output<typeof agentSchema>;
export type CheckedTool = CheckedAgent['tools'][number]['definition'];

export const remoteAgentSchema = z.strictObject({
  ...terms,
  $schema: z.string().optional(),
  url: z.url(),
  headers: texts.default({}),
  effects: effects.default('once'),
  max_bytes: z
    .int()
    .min(1_024)
    .max(256 * 1024 * 1024)
    .default(8 * 1024 * 1024),
  silence_ms: z.int().min(100).max(600_000).default(60_000),
});
export type CheckedRemoteAgent = z.output<typeof remoteAgentSchema>;

// What is told to engineers and what is checked are one: each field of the package has its place here, and no other.
type Same<One, Other> = [keyof One, keyof Other] extends [keyof Other, keyof One] ? true : never;
true satisfies Same<AgentDefinition<z.ZodType>, z.input<typeof agentSchema>>;
true satisfies Same<RemoteAgentDefinition, Omit<z.input<typeof remoteAgentSchema>, '$schema'>>;
true satisfies Same<ToolDefinition<z.ZodType>, z.input<typeof tool>['definition']>;
true satisfies Same<McpServer, z.input<typeof mcp>>;
