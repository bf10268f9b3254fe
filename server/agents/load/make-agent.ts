import { z } from 'zod';
import type { Outgoing, Platform } from '../../platform/index.ts';
import type { Agent } from '../define-agent.ts';
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

async function makeLocal(definition: unknown, { platform, outgoing }: MakeOptions): Promise<Made> {
  const parsed = agentSchema.safeParse(definition);
  if (!parsed.success) return { problems: parsed.error.issues };
  const checked = parsed.data;
  const problems = [...modelProblems(checked, platform, outgoing), ...repeatedTools(checked)];
  if (problems.length > 0) return { problems };
  const tools = checked.tools.map(({ definition: tool }) => ownTool(tool));
  const agent = ownAgent(checked, tools, platform.config.variable, outgoing);
  return { agent, fee: checked.fee, plans: checked.plans ?? null, close: async () => undefined };
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

function repeatedTools({ tools }: CheckedAgent): Issue[] {
  return tools.flatMap(({ definition: { name } }, index) =>
    tools.findIndex(({ definition }) => definition.name === name) === index
      ? []
      : [{ path: ['tools', index, 'name'], message: `${name} is a tool of this agent already` }],
  );
}

function wrong(path: readonly PropertyKey[], message: string): Made {
  return { problems: [{ path, message }] };
}
