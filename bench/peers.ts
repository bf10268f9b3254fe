import { execFileSync } from 'node:child_process';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(import.meta.resolve('./peers/'));

/**
 * A program of a peer, with the peers' packages installed: they have a package file of their own, since nothing that
 * is shipped or tested stands on them. Throws where npm cannot install them.
 */
export async function peerProgram(name: string): Promise<string> {
  const installed = await access(`${folder}node_modules`).then(
    () => true,
    () => false,
  );
  if (!installed)
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    });
  return `${folder}${name}`;
}
