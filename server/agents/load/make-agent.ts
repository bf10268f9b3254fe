import { z } from 'zod';
import type { Outgoing, Platform } from '../../platform/index.ts';
import type { Agent } from '../define-agent.ts';
import type { Tool } from '../define-tool.ts';
import { openMcp, type McpSource } from '../mcp/open-mcp.ts';
import { agentSchema, remoteAgentSchema, type CheckedAgent } from './agent-schema.ts';
import { ownAgent } from './own-agent.ts';
import { ownRemoteAgent } from './own-remote-agent.ts';
import { ownTool } from './own-tool.ts';
import { fillIn } from './variables.ts';

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** An agent that is ready, or what is wrong with what its file says. */
export type Made =
  | {
      readonly agent: Agent;
      readonly fee: string;
      readonly plans: readonly string[] | null;
      close(): Promise<void>;
    }
  | { readonly problems: readonly Issue[] };

export interface MakeOptions {
  readonly platform: Platform;
  readonly dir: string;
  /** What the file gave: `{ kind, definition }`. */
  readonly content: unknown;
  readonly outgoing: Outgoing;
}

const marked = z.looseObject({ kind: z.enum(['netra.agent', 'netra.remote-agent']), definition: z.unknown() });

/** Checks a file's content and makes the agent of it. */
export async function makeAgent(options: MakeOptions): Promise<Made> {
  const said = marked.safeParse(options.content);
  if (!said.success)
    return wrong(
      [],
      'must export default defineAgent({…}) or defineRemoteAgent({…}); what agents share goes into a folder below',
    );
  const { kind, definition } = said.data;
  return kind === 'netra.agent' ? makeLocal(definition, options) : makeRemote(definition, options);
}

async function makeLocal(definition: unknown, options: MakeOptions): Promise<Made> {
  const { platform, outgoing } = options;
  const parsed = agentSchema.safeParse(definition);
  if (!parsed.success) return { problems: parsed.error.issues };
  const checked = parsed.data;
  const problems = modelProblems(checked, platform, outgoing);
  const sources = problems.length === 0 ? await openSources(checked, options, problems) : [];
  const tools = checked.tools.map(({ definition: tool }) => ownTool(tool));
  const toolsNow = (): readonly Tool[] => [...tools, ...sources.flatMap((source) => source.tools)];
  problems.push(...repeatedTools(toolsNow()));
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  if (problems.length > 0) {
    await close();
    return { problems };
  }
  const agent = ownAgent(checked, toolsNow, platform.config.variable, outgoing);
  return { agent, fee: checked.fee, plans: checked.plans ?? null, close };
}

async function makeRemote(definition: unknown, { platform, outgoing }: MakeOptions): Promise<Made> {
  const parsed = remoteAgentSchema.safeParse(definition);
  if (!parsed.success) return { problems: parsed.error.issues };
  const { fee, plans, headers, ...checked } = parsed.data;
  const problems = urlProblems(['url'], checked.url, outgoing);
  const filled = fillInHeaders(headers, platform, problems);
  if (problems.length > 0) return { problems };
  const agent = ownRemoteAgent(checked, filled, outgoing);
  return { agent, fee, plans: plans ?? null, close: async () => undefined };
}

function fillInHeaders(headers: Readonly<Record<string, string>>, { config }: Platform, problems: Issue[]) {
  const filled: Record<string, string> = {};
  for (const [name, text] of Object.entries(headers)) {
    try {
      filled[name] = fillIn(text, config.variable);
    } catch (error) {
      problems.push({ path: ['headers', name], message: error instanceof Error ? error.message : String(error) });
    }
  }
  return filled;
}

function modelProblems({ model, steps }: CheckedAgent, { config }: Platform, outgoing: Outgoing): Issue[] {
  if (steps !== undefined) return [];
  if (model === undefined || model === 'default') {
    if (config.model !== null) return [];
    return [
      {
        path: ['model'],
        message:
          'there is no default model: set NETRA_MODEL_URL and NETRA_MODEL_NAME, or give the agent its own, or steps',
      },
    ];
  }
  const { key_env } = model;
  const problems = urlProblems(['model', 'url'], model.url, outgoing);
  if (key_env !== undefined && config.variable(key_env) === undefined) {
    problems.push({
      path: ['model', 'key_env'],
      message: `the environment has no variable ${key_env} (NETRA_* are not passed on)`,
    });
  }
  return problems;
}

function urlProblems(path: readonly PropertyKey[], url: string, outgoing: Outgoing): Issue[] {
  try {
    outgoing.check(url);
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ path, message: `${why} An operator allows a host by NETRA_AGENTS_HOSTS.` }];
  }
}

/** Opens the servers one after the other: a folder of many does not start them all at once. */
async function openSources({ mcp }: CheckedAgent, options: MakeOptions, problems: Issue[]): Promise<McpSource[]> {
  const { platform, dir, outgoing } = options;
  const sources: McpSource[] = [];
  for (const [index, server] of mcp.entries()) {
    const refused = 'url' in server ? urlProblems(['mcp', index, 'url'], server.url, outgoing) : [];
    problems.push(...refused);
    if (refused.length > 0) continue;
    try {
      sources.push(await openMcp({ server, dir, variable: platform.config.variable, outgoing, log: platform.log }));
    } catch (error) {
      problems.push({ path: ['mcp', index], message: `${server.name}: ${reasonOf(error)}` });
    }
  }
  return sources;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function repeatedTools(tools: readonly Tool[]): Issue[] {
  return tools.flatMap(({ name }, index) =>
    tools.findIndex((tool) => tool.name === name) === index
      ? []
      : [{ path: ['tools'], message: `${name} is there twice; give the tool of a server another name by \`as\`` }],
  );
}

function wrong(path: readonly PropertyKey[], message: string): Made {
  return { problems: [{ path, message }] };
}
