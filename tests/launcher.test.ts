import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a launcher with the pinned Node first in the path, and npm from wherever the machine has it. */
function launch(path: string, args: readonly string[], cwd: string): Promise<Ended> {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  const child = spawn(path, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('./netra', () => {
  let scratch: string;
  let project: string;

  // The smallest project that a real `npm ci` installs without a network: one dependency, in a folder beside it.
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'netra-launcher-'));
    project = join(scratch, 'a house with spaces');
    await mkdir(join(project, 'cli'), { recursive: true });
    await mkdir(join(project, 'leaf'));
    await cp(join(root, 'netra'), join(project, 'netra'));
    await writeFile(join(project, 'leaf', 'package.json'), '{ "name": "leaf", "version": "1.0.0" }');
    const manifest = { name: 'house', engines: { node: '>=24.0.0 <25' }, dependencies: { leaf: 'file:leaf' } };
    await writeFile(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
    const packages = {
      '': { name: 'house', dependencies: { leaf: 'file:leaf' } },
      leaf: { version: '1.0.0' },
      'node_modules/leaf': { resolved: 'leaf', link: true },
    };
    const lock = { name: 'house', lockfileVersion: 3, requires: true, packages };
    await writeFile(join(project, 'package-lock.json'), JSON.stringify(lock, null, 2));
    await writeFile(join(project, 'cli', 'main.ts'), 'console.log(JSON.stringify(process.argv.slice(2)));\n');
  });
  afterEach(() => rm(scratch, { recursive: true, force: true }));

  // Planted bug that turns it red: `$0` instead of the resolved link, or an unquoted "$root".
  it('runs through a symlink, from any folder, with spaces in the path, and leaves stdout to the command', async () => {
    const link = join(scratch, 'linked netra');
    await symlink(join('a house with spaces', 'netra'), link);
    const first = await launch(link, ['demo', '--file', 'my usage.csv'], '/');
    expect(first).toMatchObject({ code: 0, stdout: '["demo","--file","my usage.csv"]\n' });
    expect(first.stderr).toContain('the packages, once');
    const second = await launch(link, [], '/');
    expect(second).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
  });

  // Planted bug that turns it red: no lock folder, so that one `npm ci` empties node_modules under the other.
  it('installs once when two are started at the same time', async () => {
    const netra = join(project, 'netra');
    const both = await Promise.all([launch(netra, ['1'], project), launch(netra, ['2'], project)]);
    expect(both.map(({ code, stdout }) => ({ code, stdout }))).toEqual([
      { code: 0, stdout: '["1"]\n' },
      { code: 0, stdout: '["2"]\n' },
    ]);
    expect(both.filter(({ stderr }) => stderr.includes('the packages, once'))).toHaveLength(1);
    expect(existsSync(join(project, '.netra-install'))).toBe(false);
  });

  // Planted bug that turns it red: a lock that only its owner may take away.
  it('takes over the lock of a launcher that died', async () => {
    const dead = spawn('true');
    await new Promise((resolve) => dead.once('close', resolve));
    await mkdir(join(project, '.netra-install'));
    await writeFile(join(project, '.netra-install', 'pid'), `${dead.pid}\n`);
    expect(await launch(join(project, 'netra'), [], project)).toMatchObject({ code: 0, stdout: '[]\n' });
  });

  // Planted bug that turns it red: a stamp written before npm ends.
  it('says why an install failed, exits 1, and tries again the next time', async () => {
    const manifest = join(project, 'package.json');
    const good = await readFile(manifest, 'utf8');
    await writeFile(manifest, good.replace('"leaf"', '"stem"'));
    const failed = await launch(join(project, 'netra'), [], project);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('npm ci failed');
    await writeFile(manifest, good);
    expect(await launch(join(project, 'netra'), [], project)).toMatchObject({ code: 0, stdout: '[]\n' });
  });

  // Planted bug that turns it red: a stamp that says only that something was installed.
  it('installs again when the lock file has changed', async () => {
    const netra = join(project, 'netra');
    await launch(netra, [], project);
    await appendFile(join(project, 'package-lock.json'), '\n');
    expect((await launch(netra, [], project)).stderr).toContain('the packages, once');
  });
});
