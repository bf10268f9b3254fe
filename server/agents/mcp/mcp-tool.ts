import type { JSONSchema7 } from '@ai-sdk/provider';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { McpError, type CallToolResult, type Tool as ListedTool } from '@modelcontextprotocol/sdk/types.js';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import type { JsonSchemaType } from '@modelcontextprotocol/sdk/validation/types.js';
import { NetraError } from '@netra/contract';
import type { Tool } from '../define-tool.ts';
import { limitTime } from '../limit-time.ts';
import type { CheckedMcp } from '../load/agent-schema.ts';

/** Runs work on a connection, made anew where there is none. */
export type CallMcp = <T>(work: (client: Client) => Promise<T>) => Promise<T>;

/** The name that the model sees. */
export function seenAs(server: CheckedMcp, name: string): string {
  return server.tools[name]?.as ?? name;
}

const max_message = 2_000;
const max_description = 8_000;

/** A server's tool as ours. What it does outside is what the agent's file says, not what the server hints. */
export function mcpTool(listed: ListedTool, server: CheckedMcp, call: CallMcp): Tool {
  const terms = server.tools[listed.name];
  if (terms === undefined) throw new Error(`mcp: ${listed.name} is not allowed`);
  const { effects, approval, timeout_ms, max_output_bytes } = terms;
  const name = seenAs(server, listed.name);
  const validate = new AjvJsonSchemaValidator().getValidator<Record<string, unknown>>(
    listed.inputSchema as JsonSchemaType,
  );
  return {
    name,
    description: (listed.description ?? listed.title ?? name).slice(0, max_description),
    effects,
    max_output_bytes,
    input_schema: listed.inputSchema as JSONSchema7,
    needsApproval: () => approval === 'always',
    prepare(input) {
      const checked = validate(input);
      if (!checked.valid) return { ok: false, message: checked.errorMessage };
      return {
        ok: true,
        execute: ({ signal }) =>
          limitTime({ name, timeout_ms, signal }, async (limited) => {
            const options = { signal: limited, timeout: timeout_ms, maxTotalTimeout: timeout_ms };
            const params = { name: listed.name, arguments: checked.data };
            const result = await call((client) => client.callTool(params, undefined, options)).catch(
              (error: unknown) => {
                throw toldOf(error, server.name);
              },
            );
            return outputOf(result as CallToolResult, name);
          }),
      };
    },
  };
}

/** The server's own words are for the model; of a connection it learns that there is none. */
function toldOf(error: unknown, server: string): unknown {
  if (error instanceof McpError) return new NetraError('tool_failed', error.message.slice(0, max_message));
  if (error instanceof NetraError) return error;
  return new NetraError('tool_failed', `the server ${server} of this tool does not answer`, {}, { cause: error });
}

/** What the model sees: the structured result, or the texts; other content is named, not carried. */
function outputOf({ content, structuredContent, isError }: CallToolResult, name: string): unknown {
  const text = content
    .map((part) =>
      part.type === 'text'
        ? part.text
        : part.type === 'resource'
          ? resourceText(part.resource)
          : `[${part.type} left out]`,
    )
    .join('\n');
  if (isError === true) throw new NetraError('tool_failed', text.slice(0, max_message) || `the tool ${name} failed`);
  return structuredContent ?? { text };
}

function resourceText(resource: { readonly uri: string; readonly text?: unknown }): string {
  return typeof resource.text === 'string' ? resource.text : `[resource ${resource.uri} left out]`;
}
