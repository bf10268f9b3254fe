import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository, whatever the working directory is. */
export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** The path of a program that a package of ours installed, e.g. `oxlint`. */
export function installedProgram(name: string): string {
  return join(repositoryRoot, 'node_modules', '.bin', name);
}
