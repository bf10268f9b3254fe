import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import pc from 'picocolors';
import { installedProgram, repositoryRoot } from '../repository.ts';

interface Check {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

interface Outcome {
  readonly check: Check;
  readonly passed: boolean;
  readonly output: string;
  readonly duration_ms: number;
}

const checks: readonly Check[] = [
  { name: 'types', program: 'tsc', args: ['-p', '.', '--pretty'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'dead code', program: 'knip', args: ['--no-progress'] },
  { name: 'format', program: 'oxfmt', args: ['--check'] },
];

export interface CheckCount {
  readonly passed: number;
  readonly failed: number;
}

/** Runs all checks at once, prints what each found, and resolves to how many passed. */
export async function runChecks(options: { readonly fix: boolean }): Promise<CheckCount> {
  if (options.fix) await fixAll();
  const outcomes = await Promise.all(checks.map(runCheck));
  for (const outcome of outcomes) report(outcome);
  const passed = outcomes.filter((outcome) => outcome.passed).length;
  return { passed, failed: outcomes.length - passed };
}

async function fixAll(): Promise<void> {
  // One after the other: the formatter has the last word on what the linter wrote.
  report(await runCheck({ name: 'lint --fix', program: 'oxlint', args: ['--fix'] }));
  report(await runCheck({ name: 'format --write', program: 'oxfmt', args: [] }));
}

function runCheck(check: Check): Promise<Outcome> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let output = '';
  const child = spawn(process.execPath, [installedProgram(check.program), ...check.args], {
    cwd: repositoryRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(pc.isColorSupported ? { FORCE_COLOR: '1' } : {}) },
  });
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const end = (passed: boolean): void => {
    resolve({ check, passed, output, duration_ms: performance.now() - started });
  };
  child.on('error', (error) => {
    output += `${error.message}\n`;
    end(false);
  });
  child.on('close', (code) => end(code === 0));
  return promise;
}

function report(outcome: Outcome): void {
  const mark = outcome.passed ? pc.green('ok  ') : pc.red('FAIL');
  console.log(`${mark} ${outcome.check.name.padEnd(10)} ${pc.dim(`${(outcome.duration_ms / 1000).toFixed(1)} s`)}`);
  if (!outcome.passed) console.log(outcome.output.trimEnd());
}
