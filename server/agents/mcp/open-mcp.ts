import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { McpError, type Tool as ListedTool } from '@modelcontextprotocol/sdk/types.js';
import { NetraError } from '@netra/contract';
import type { Log, Outgoing } from '../../platform/index.ts';
import type { CheckedMcp } from '../load/agent-schema.ts';
import { fillIn, fillInAll, type Variable } from '../load/variables.ts';
import type { Tool } from '../define-tool.ts';
import { mcpTool, seenAs, type CallMcp } from './mcp-tool.ts';

/** A server of the Model Context Protocol as an agent's source of tools. */
export interface McpSource {
  /** Always the same array, with what the server has now of what the agent may call. */
  readonly tools: readonly Tool[];
  close(): Promise<void>;
}

export interface McpOptions {
  readonly server: CheckedMcp;
  /** The agents folder: where commands are run. */
  readonly dir: string;
  readonly variable: Variable;
  readonly outgoing: Outgoing;
  readonly log: Log;
}

const connect_ms = 15_000;
/** One answer of a server; what is kept of a result is bounded much lower. */
const max_answer_bytes = 10 * 1024 * 1024;
/** A stream of notices that has brought this much is opened anew. */
const max_stream_bytes = 256 * 1024 * 1024;
const max_list_pages = 20;

/**
 * Connects to a server and lists its tools. Throws an Error that says why it cannot be used: it does not answer, or does
 * not have a tool that the agent is allowed. One that goes away later is connected to again by the next call.
 */
export async function openMcp(options: McpOptions): Promise<McpSource> {
  const { server, log } = options;
  const tools: Tool[] = [];
  let client: Promise<Client> | null = null;
  let closed = false;
  const keep = (listed: readonly ListedTool[]): void => {
    const allowed = listed.filter(({ name }) => Object.hasOwn(server.tools, name));
    tools.splice(0, tools.length, ...allowed.map((tool) => mcpTool(tool, server, call)));
  };
  const forget = (gone: Promise<Client>): void => {
    if (client === gone) client = null;
  };
  const connected = async (): Promise<Client> => {
    if (closed) throw new NetraError('draining', 'This node is going away.');
    const connecting = (client ??= connect(options, keep, () => forget(connecting)));
    try {
      return await connecting;
    } catch (error) {
      forget(connecting);
      throw error;
    }
  };
  const call: CallMcp = async (work) => {
    const current = await connected();
    try {
      return await work(current);
    } catch (error) {
      // What the server says is an answer; anything else may be a connection that is dead.
      if (!(error instanceof McpError) && client !== null) {
        log.warn({ mcp: server.name, err: error }, 'mcp server lost, connected to again by the next call');
        forget(client);
        // What is told is why the call failed; that a dead connection does not close says nothing new.
        void current.close().catch(() => undefined);
      }
      throw error;
    }
  };
  await connected();
  const missing = Object.keys(server.tools).filter((name) => !tools.some((tool) => tool.name === seenAs(server, name)));
  const close = async (): Promise<void> => {
    closed = true;
    // One that never connected, or is gone already, has nothing to close.
    await client?.then((open) => open.close()).catch(() => undefined);
  };
  if (missing.length > 0) {
    await close();
    throw new Error(`the server has no tool ${missing.join(', ')}`);
  }
  return { tools, close };
}

async function connect(
  options: McpOptions,
  keep: (tools: readonly ListedTool[]) => void,
  gone: () => void,
): Promise<Client> {
  const { server, log } = options;
  const onChanged = (error: Error | null, tools: ListedTool[] | null): void => {
    if (error !== null || tools === null) log.warn({ mcp: server.name, err: error }, 'mcp tools not listed again');
    else keep(tools);
  };
  const client = new Client({ name: 'netra', version: '1' }, { listChanged: { tools: { onChanged } } });
  client.onclose = gone;
  client.onerror = (error) => log.debug({ mcp: server.name, err: error }, 'mcp');
  const timeout = { timeout: connect_ms, maxTotalTimeout: connect_ms };
  try {
    await client.connect(transportOf(options), timeout);
    const tools: ListedTool[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < max_list_pages; page += 1) {
      const listed = await client.listTools(cursor === undefined ? {} : { cursor }, timeout);
      tools.push(...listed.tools);
      cursor = listed.nextCursor;
      if (cursor === undefined) break;
    }
    keep(tools);
    return client;
  } catch (error) {
    // The error to tell is the one that is thrown.
    await client.close().catch(() => undefined);
    throw error;
  }
}

function transportOf({ server, dir, variable, outgoing, log }: McpOptions): Transport {
  if ('command' in server) {
    const { command, args, cwd = dir } = server;
    // The library adds PATH, HOME and the like of this process, and nothing else of it.
    const env = fillInAll(server.env, variable);
    const filled = args.map((arg) => fillIn(arg, variable));
    const transport = new StdioClientTransport({
      command,
      args: filled,
      env,
      cwd,
      stderr: 'pipe',
      maxBufferSize: max_answer_bytes,
    });
    transport.stderr?.on('data', (text: Buffer) =>
      log.debug({ mcp: server.name, stderr: text.toString('utf8', 0, 2_000) }, 'mcp server said'),
    );
    return transport;
  }
  const headers = fillInAll(server.headers, variable);
  // The library's type has optional fields that are spelled otherwise than the interface's.
  return new StreamableHTTPClientTransport(new URL(server.url), {
    requestInit: { headers },
    fetch: (url, init) => outgoing.fetch(url, init, init?.method === 'POST' ? max_answer_bytes : max_stream_bytes),
  }) as Transport;
}
