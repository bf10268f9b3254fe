import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pc from 'picocolors';
import { runChecks, type CheckCount } from '../check/run-checks.ts';
import { heavyCategories } from './categories.ts';
import { contractFiles, judgeContract, printContract } from './contract-table.ts';
import { findTestFiles, selectTestFiles, type TestFile } from './find-test-files.ts';
import { judgeRun, type Verdict } from './judge-run.ts';
import { printSummary } from './print-summary.ts';
import { runVitest } from './run-vitest.ts';
import { testEnvironment } from './test-environment.ts';
import { writeHtmlReport } from './write-html-report.ts';

export interface TestOptions {
  readonly categories: readonly string[];
  readonly pattern: string | undefined;
  readonly real_services: boolean;
  readonly full: boolean;
  readonly workers: number | undefined;
  readonly fast_fail: boolean;
  readonly list: boolean;
  readonly contract: boolean;
  readonly report: string | undefined;
}

/** Runs what was asked for and resolves to the exit code. Its last line is `N passed, N failed`. */
export async function runTests(options: TestOptions): Promise<number> {
  let files: readonly TestFile[];
  let env: NodeJS.ProcessEnv;
  try {
    files = selectFiles(options);
    if (options.list) return list(files);
    env = { ...testEnvironment(process.env, options), ...lengths(options) };
  } catch (error) {
    console.error(pc.red(error instanceof Error ? error.message : String(error)));
    return 1;
  }
  return checkAndTest(options, files, env);
}

async function checkAndTest(options: TestOptions, files: readonly TestFile[], env: NodeJS.ProcessEnv): Promise<number> {
  const started_ms = performance.now();
  const whole = options.categories.length === 0 && options.pattern === undefined && !options.contract;
  const checks = whole ? await runChecks({ fix: false }) : { passed: 0, failed: 0 };
  if (checks.failed > 0 && options.fast_fail) return end({ ...checks, skipped: 0, defects: [] });
  const report = options.report === undefined ? undefined : resolve(options.report);
  if (report !== undefined) mkdirSync(report, { recursive: true });

  const run = await runVitest({
    paths: files.map((file) => file.path),
    env,
    workers: options.workers,
    fast_fail: options.fast_fail,
    junit: report === undefined ? undefined : join(report, 'junit.xml'),
  });
  const verdict = judgeRun(run, files, { stopped_early: options.fast_fail });
  const guarantees = options.contract || whole ? judgeContract(run.outcome?.files ?? []) : [];
  if (guarantees.length > 0) printContract(guarantees, { whole: options.contract });
  printSummary({ run, files, verdict, checks, duration_ms: performance.now() - started_ms });
  if (report !== undefined) writeHtmlReport({ folder: report, run, files, verdict, guarantees });
  return end(addAll(verdict, checks, guarantees.filter((guarantee) => guarantee.verdict === 'no test').length));
}

function selectFiles(options: TestOptions): readonly TestFile[] {
  const all = findTestFiles();
  const of = options.contract ? all.filter((file) => contractFiles.has(file.path)) : all;
  return selectTestFiles(of, options);
}

/** Heavy tests run short unless they are asked for by name, or all at full length. The seed is printed, so that a failure can be replayed. */
function lengths(options: TestOptions): Record<string, string> {
  const full = options.full || options.categories.some((name) => (heavyCategories as readonly string[]).includes(name));
  const seed = process.env['NETRA_TEST_SEED'] ?? String(randomInt(2 ** 31));
  console.error(pc.dim(`seed ${seed} (NETRA_TEST_SEED=${seed} replays it), heavy tests ${full ? 'full' : 'short'}`));
  return { NETRA_TEST_SEED: seed, NETRA_TEST_LENGTH: full ? 'full' : 'short' };
}

function list(files: readonly TestFile[]): number {
  for (const file of files) console.log(`${file.category.padEnd(12)} ${file.path}`);
  return 0;
}

function addAll(verdict: Verdict, checks: CheckCount, unproved: number): Verdict {
  return {
    ...verdict,
    passed: verdict.passed + checks.passed,
    failed: verdict.failed + checks.failed + unproved,
  };
}

function end(verdict: Verdict): number {
  const skipped = verdict.skipped > 0 ? `, ${verdict.skipped} skipped` : '';
  console.log(`${verdict.passed} passed, ${verdict.failed} failed${skipped}`);
  // A run that executed nothing has proved nothing.
  return verdict.failed === 0 && verdict.passed > 0 ? 0 : 1;
}
