import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The path of a program that tests need; installs Debian's package of the same name where it may, else says how. */
export function findProgram(name: string): string {
  return lookFor(name) ?? install(name);
}

function lookFor(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(':'),
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function install(name: string): string {
  const howTo = `The tests need a real ${name}: install it (Debian: apt-get install ${name}; macOS: brew install ${name}).`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(howTo);
  process.stderr.write(`netra test: installing ${name} with apt-get\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', name]]) {
    const result = spawnSync('apt-get', ['-qq', ...args], { env, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${result.stderr}\n${howTo}`);
  }
  const installed = lookFor(name);
  if (installed === undefined) throw new Error(howTo);
  return installed;
}

/** A program in the foreground, ended with this process whatever ends it. */
export interface RunningProgram {
  /** What it wrote so far. */
  said(): string;
  close(): Promise<void>;
}

/** Starts it under a shell that lives as long as our end of its stdin, so that it goes even if we are killed. */
export function runProgram(path: string, args: readonly string[]): RunningProgram {
  const script = '"$@" </dev/null & pid=$!; cat >/dev/null; kill $pid; wait $pid';
  const shell: ChildProcess = spawn('sh', ['-c', script, 'sh', path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-64 * 1024)));
  }
  const gone = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  return {
    said: () => said,
    async close() {
      shell.stdin?.end();
      await gone;
    },
  };
}
