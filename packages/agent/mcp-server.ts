import type { Effects } from './define-tool.ts';

/** A tool of a server that the agent may call. What it does outside is said here: a server's own word is only a hint. */
export interface McpTool {
  /** Default: `once`. */
  readonly effects?: Effects;
  readonly approval?: 'never' | 'always';
  /** The name that the model sees; default: its own. */
  readonly as?: string;
  /** Default 60,000. */
  readonly timeout_ms?: number;
  /** Default 65,536. */
  readonly max_output_bytes?: number;
}

interface Tools {
  readonly name: string;
  /** The tools that it may call, by their names there: what is not here does not exist for the agent. */
  readonly tools: Readonly<Record<string, McpTool>>;
}

/** A server that is started here, or one at a URL (Streamable HTTP). */
export type McpServer =
  | (Tools & {
      readonly command: string;
      readonly args?: readonly string[];
      /** All that it gets beyond PATH and HOME; `${NAME}` is the environment variable NAME. */
      readonly env?: Readonly<Record<string, string>>;
      /** Default: the agents folder. */
      readonly cwd?: string;
    })
  | (Tools & { readonly url: string; readonly headers?: Readonly<Record<string, string>> });

export function mcpServer(server: McpServer): McpServer {
  return server;
}
