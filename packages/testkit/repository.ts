import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The server's entry: the testkit runs it as a process and never imports it. */
export const serverEntry = join(repositoryRoot, 'server', 'main.ts');
