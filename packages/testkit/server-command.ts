import { execFile } from 'node:child_process';
import { plainEnvironment } from './environment.ts';
import { serverEntry } from './repository.ts';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of the server's commands (`doctor`, `admin`, `migrate` …) to its end, on the stores that `env` names. */
export function runServerCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  deadline_ms = 60_000,
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: plainEnvironment(env), timeout: deadline_ms, maxBuffer: 16 * 1024 * 1024 };
    execFile(process.execPath, [serverEntry, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}
