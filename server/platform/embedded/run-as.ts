import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, chownSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { NetraError } from '@netra/contract';

/** How to start a program as a user PostgreSQL accepts: it refuses to run as root. */
export interface RunAs {
  readonly uid: number | null;
  readonly gid: number | null;
  /** The command that stands before the program's own. */
  readonly prefix: readonly string[];
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function account(name: string): Account | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? null : { name, uid: Number(uid), gid: Number(gid) };
}

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function serviceAccount(): Account {
  const known = account('postgres');
  if (known) return known;
  works('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres']);
  const made = account('postgres') ?? account('nobody');
  if (made) return made;
  throw new NetraError(
    'unavailable',
    'PostgreSQL does not run as root: create a user `postgres`, or start as another user',
  );
}

/** Whose rights PostgreSQL runs with. As root: a service account that may still pass through folders of root's. */
export function postgresUser(paths: readonly string[]): RunAs {
  if (process.getuid?.() !== 0) return { uid: null, gid: null, prefix: [] };
  const { uid, gid } = serviceAccount();
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
  // A clone or data folder under a 0700 parent (mktemp -d, /root): one capability lets the account through.
  const passing = [...identity, '--inh-caps', '+dac_override', '--ambient-caps', '+dac_override'];
  if (works('setpriv', [...passing, 'true'])) return { uid, gid, prefix: ['setpriv', ...passing] };
  const closed = paths.flatMap(parents).find((folder) => !passable(folder, uid, gid));
  if (closed !== undefined) {
    throw new NetraError(
      'unavailable',
      `PostgreSQL does not run as root, and its own user cannot pass through ${closed}: chmod o+x ${closed}, or start as another user`,
    );
  }
  return { uid, gid, prefix: [] };
}

function parents(path: string): string[] {
  const folder = dirname(resolve(path));
  return folder === dirname(folder) ? [folder] : [...parents(folder), folder];
}

function passable(folder: string, uid: number, gid: number): boolean {
  const { mode, uid: owner, gid: group } = statSync(folder);
  const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
  return (mode & bit) !== 0;
}

/** Gives a file or folder, with all in it, to the account. */
export function giveTo({ uid, gid }: RunAs, path: string): void {
  if (uid === null || gid === null || statSync(path).uid === uid) return;
  chownSync(path, uid, gid);
  if (statSync(path).isDirectory()) execFileSync('chown', ['-R', `${uid}:${gid}`, path]);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
