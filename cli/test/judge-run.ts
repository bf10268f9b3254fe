import type { TestFile } from './find-test-files.ts';
import type { FileOutcome, TestOutcome } from './results.ts';
import type { VitestRun } from './run-vitest.ts';

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What is wrong beyond failing tests; each counts as one failure. */
  readonly defects: readonly string[];
}

/**
 * Counts, and finds what a runner may pass over in silence: a file that executed no test, a test that was retried, an
 * error outside any test, a run that did not report. Any of these is a failure.
 */
export function judgeRun(
  run: VitestRun,
  files: readonly TestFile[],
  options: { readonly stopped_early: boolean },
): Verdict {
  const outcomes = run.outcome?.files ?? [];
  const tests = outcomes.flatMap((file) => file.tests);
  const inState = (state: TestOutcome['state']): number => tests.filter((test) => test.state === state).length;
  const testFailures = inState('failed');
  const defects = [
    ...(run.outcome === undefined ? ['the test run ended before it could report'] : run.outcome.errors),
    ...outcomes.flatMap((file) => file.errors.map((error) => `${file.path}: ${error}`)),
    ...(options.stopped_early && testFailures > 0 ? [] : filesWithoutTests(files, outcomes)),
    ...outcomes.flatMap(retriedTests),
  ];
  if (run.exit_code !== 0 && testFailures === 0 && defects.length === 0) {
    defects.push(`the test run exited with ${run.exit_code}, and no test says why`);
  }
  return {
    passed: inState('passed'),
    failed: testFailures + defects.length,
    skipped: inState('skipped') + inState('pending'),
    defects,
  };
}

function filesWithoutTests(files: readonly TestFile[], outcomes: readonly FileOutcome[]): readonly string[] {
  const executed = new Set(
    outcomes
      .filter((file) => file.tests.some((test) => test.state === 'passed' || test.state === 'failed'))
      .map((file) => file.path),
  );
  const failedToLoad = new Set(outcomes.filter((file) => file.errors.length > 0).map((file) => file.path));
  return files
    .filter((file) => !executed.has(file.path) && !failedToLoad.has(file.path))
    .map((file) => `${file.path}: executed 0 tests`);
}

function retriedTests(file: FileOutcome): readonly string[] {
  return file.tests
    .filter((test) => test.retries > 0)
    .map((test) => `${file.path}: retried ${test.retries} times: ${test.titles.join(' > ')}`);
}
