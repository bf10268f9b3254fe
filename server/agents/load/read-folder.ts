import { readdir, readFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NetraError } from '@netra/contract';
import type { FileProblem } from './file-problem.ts';

/** What a file of the folder says: `{ kind, definition }`, not checked yet. */
export interface FileContent {
  readonly file: string;
  readonly content: unknown;
}

const max_files = 200;
const max_json_bytes = 1024 * 1024;

/**
 * Reads the agents folder: each module's default export, and each `*.agent.json` as a remote agent. Only its top level:
 * what modules share lies in folders below. Throws `config_invalid` if the folder cannot be read.
 */
export async function readFolder(dir: string, problems: FileProblem[]): Promise<readonly FileContent[]> {
  const names = await readdir(dir, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new NetraError('config_invalid', `NETRA_AGENTS_DIR cannot be read: ${dir} (${error.code ?? error.message}).`);
  });
  const files = names
    .filter((entry) => !entry.isDirectory() && (isModule(entry.name) || entry.name.endsWith('.agent.json')))
    .map(({ name }) => name)
    .toSorted();
  if (files.length > max_files) {
    throw new NetraError('config_invalid', `${dir} has ${files.length} agents; a node runs at most ${max_files}.`);
  }
  resolveFor(dir);
  const contents: FileContent[] = [];
  for (const file of files) {
    try {
      const content = isModule(file) ? await importModule(join(dir, file)) : await readJson(join(dir, file));
      contents.push({ file, content });
    } catch (error) {
      problems.push({ file, field: '', problem: `cannot be loaded: ${describe(error)}` });
    }
  }
  return contents;
}

function isModule(name: string): boolean {
  return /\.(ts|mts|js|mjs)$/.test(name) && !/\.(test|spec|d)\.\w+$/.test(name) && !name.startsWith('.');
}

async function importModule(path: string): Promise<unknown> {
  const module: unknown = await import(pathToFileURL(path).href);
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  if (bytes.length > max_json_bytes) throw new Error(`larger than ${max_json_bytes} bytes`);
  const definition: unknown = JSON.parse(bytes.toString('utf8'));
  return { kind: 'netra.remote-agent', definition };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of a syntax error the stack begins with the place.
  const place = error instanceof SyntaxError ? (error.stack?.split('\n')[0] ?? '') : '';
  return place.includes('file:') ? `${error.message} (${place})` : error.message;
}

const resolved = new Set<string>();

/**
 * Lets modules below `dir` import `@netra/agent` and `zod` with nothing installed there. The first is always this
 * server's own, the second only where the folder has none.
 */
function resolveFor(dir: string): void {
  const base = pathToFileURL(`${dir}/`).href;
  if (resolved.has(base)) return;
  resolved.add(base);
  registerHooks({
    resolve(specifier, context, next) {
      if (context.parentURL?.startsWith(base) !== true) return next(specifier, context);
      if (specifier === '@netra/agent') return next(import.meta.resolve('@netra/agent'), context);
      if (specifier !== 'zod') return next(specifier, context);
      try {
        return next(specifier, context);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
        return next(import.meta.resolve('zod'), context);
      }
    },
  });
}
