import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export interface SourceFile {
  /** From the root. */
  readonly path: string;
  readonly text: string;
}

/** The repository's own files that match, packages of others left out. Throws if none does: a rule needs a subject. */
export function sourceFiles(...patterns: readonly string[]): readonly SourceFile[] {
  const paths = globSync([...patterns], { cwd: root, exclude: (name) => name === 'node_modules' }).toSorted();
  if (paths.length === 0) throw new Error(`no file matches ${patterns.join(', ')}`);
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** `path:line: text` of every line that matches, so that a failure says where to go. */
export function linesThatMatch(files: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return files.flatMap((file) =>
    file.text
      .split('\n')
      .map((line, index) => ({ line, place: `${file.path}:${index + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, place }) => `${place}: ${line.trim()}`),
  );
}
