import { NetraError } from '@netra/contract';
import { openOutgoing, type Outgoing, type Platform } from '../../platform/index.ts';
import { openAgent, toCredits, toMicro } from '../../plans/index.ts';
import type { Agent } from '../define-agent.ts';
import { reservedNames } from '../find-agent.ts';
import { useOwnAgents } from '../own-agents.ts';
import { fieldOf, refuseFolder, type FileProblem } from './file-problem.ts';
import { makeAgent } from './make-agent.ts';
import { readFolder, type FileContent } from './read-folder.ts';

/** An agent of the folder, the terms that its file opens the books with, and what it keeps open. */
export interface LoadedAgent {
  readonly file: string;
  readonly agent: Agent;
  readonly fee: string;
  readonly plans: readonly string[] | null;
  close(): Promise<void>;
}

/** Who enters an agent's first terms into the books. */
const by = 'agents folder';

/**
 * Loads the agents of NETRA_AGENTS_DIR for this node and gives those that are new their terms. Nothing is half loaded:
 * throws one `config_invalid` that names every file and field that is wrong. Resolves to what closes them.
 */
export async function loadAgents({ platform }: { readonly platform: Platform }): Promise<() => Promise<void>> {
  const { agents_dir: dir, agents_hosts: hosts, outgoing_loopback: loopback } = platform.config;
  if (dir === null) return async () => undefined;
  const problems: FileProblem[] = [];
  const outgoing = openOutgoing({ loopback, hosts });
  const loaded: LoadedAgent[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(loaded.map((each) => each.close()));
  };
  try {
    for (const content of await readFolder(dir, problems)) {
      const agent = await load(platform, dir, content, outgoing, problems);
      if (agent !== null) loaded.push(agent);
    }
    problems.push(...clashes(loaded));
    if (problems.length > 0) throw refuseFolder(dir, problems);
    for (const each of loaded) await enterTerms(platform, dir, each);
  } catch (error) {
    await close();
    throw error;
  }
  useOwnAgents(
    platform,
    loaded.map(({ agent }) => agent),
  );
  platform.log.info({ agents: loaded.map(({ agent }) => agent.name), dir }, 'own agents loaded');
  return close;
}

async function load(
  platform: Platform,
  dir: string,
  { file, content }: FileContent,
  outgoing: Outgoing,
  problems: FileProblem[],
): Promise<LoadedAgent | null> {
  const made = await makeAgent({ platform, dir, content, outgoing });
  if (!('problems' in made)) return { file, ...made };
  problems.push(...made.problems.map(({ path, message }) => ({ file, field: fieldOf(path), problem: message })));
  return null;
}

function clashes(loaded: readonly LoadedAgent[]): FileProblem[] {
  return loaded.flatMap(({ file, agent: { name } }, index): FileProblem[] => {
    if (reservedNames.has(name)) return [{ file, field: 'name', problem: `${name} is a built-in agent` }];
    const first = loaded.findIndex(({ agent }) => agent.name === name);
    const taken = loaded[first]?.file ?? '';
    return first === index ? [] : [{ file, field: 'name', problem: `${name} is the agent of ${taken} already` }];
  });
}

/** The books are the operator's: what they say of an agent stands, whatever its file says now. */
async function enterTerms(platform: Platform, dir: string, { file, agent, fee, plans }: LoadedAgent): Promise<void> {
  const fee_micro = toMicro(fee);
  try {
    const books = await openAgent({ platform, input: { agent: agent.name, fee_micro, plans, by } });
    if (books.fee_micro === fee_micro) return;
    const told = { agent: agent.name, file_fee: toCredits(fee_micro), fee: toCredits(books.fee_micro) };
    platform.log.warn(told, 'the books have another fee than the file: change it by netra admin agent set');
  } catch (error) {
    if (!(error instanceof NetraError) || error.code !== 'not_found') throw error;
    throw refuseFolder(dir, [{ file, field: 'plans', problem: error.message }]);
  }
}
