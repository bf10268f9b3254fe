import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedProgram, repositoryRoot } from '../repository.ts';
import { resultsVariable, type RunOutcome } from './results.ts';

export interface VitestRun {
  readonly exit_code: number;
  /** Undefined if vitest ended before it could report: it crashed, or its set-up failed. */
  readonly outcome: RunOutcome | undefined;
}

/** Two on two cores: the tests wait for stores and processes more than they compute. */
const usualWorkers = 2;

/**
 * Runs vitest in a process of its own: a test that exits, leaks or exhausts memory cannot take the verdict along.
 * Interrupts reach it through the terminal's process group or through us, and its stores go down with it.
 */
export async function runVitest(options: {
  readonly paths: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly workers: number | undefined;
  readonly fast_fail: boolean;
  readonly junit: string | undefined;
}): Promise<VitestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'netra-results-'));
  const results = join(folder, 'results.json');
  const args = [
    installedProgram('vitest'),
    'run',
    '--reporter=default',
    `--reporter=${join(repositoryRoot, 'cli', 'test', 'results-reporter.ts')}`,
    ...(options.junit === undefined ? [] : ['--reporter=junit', `--outputFile.junit=${options.junit}`]),
    `--maxWorkers=${options.workers ?? usualWorkers}`,
    ...(options.fast_fail ? ['--bail=1'] : []),
    ...options.paths.map((path) => join(repositoryRoot, path)),
  ];
  try {
    const exit_code = await run(args, { ...options.env, [resultsVariable]: results });
    const outcome = existsSync(results) ? (JSON.parse(readFileSync(results, 'utf8')) as RunOutcome) : undefined;
    return { exit_code, outcome };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, env, stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  child.once('error', reject);
  child.once('exit', (code) => resolve(code ?? 1));
  return promise.finally(() => {
    process.off('SIGINT', forward);
    process.off('SIGTERM', forward);
  });
}
