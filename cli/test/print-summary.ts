import pc from 'picocolors';
import type { CheckCount } from '../check/run-checks.ts';
import { categories } from './categories.ts';
import type { TestFile } from './find-test-files.ts';
import type { Verdict } from './judge-run.ts';
import type { FileOutcome, TestOutcome } from './results.ts';
import type { VitestRun } from './run-vitest.ts';

const slowestShown = 5;

/** One row a category, the slowest files, and every defect that no test shows. */
export function printSummary(options: {
  readonly run: VitestRun;
  readonly files: readonly TestFile[];
  readonly verdict: Verdict;
  readonly checks: CheckCount;
  readonly duration_ms: number;
}): void {
  const outcomes = new Map((options.run.outcome?.files ?? []).map((file) => [file.path, file]));
  console.log(row(['category', 'files', 'passed', 'failed', 'skipped', 'seconds']));
  if (options.checks.passed + options.checks.failed > 0) {
    console.log(row(['check', '', String(options.checks.passed), String(options.checks.failed), '', '']));
  }
  for (const category of categories) {
    const files = options.files.filter((file) => file.category === category);
    if (files.length > 0) console.log(categoryRow(category, files, outcomes));
  }
  printSlowest([...outcomes.values()]);
  for (const defect of options.verdict.defects) console.log(pc.red(`defect: ${defect}`));
  console.log(pc.dim(`took ${seconds(options.duration_ms)} s`));
}

function categoryRow(category: string, files: readonly TestFile[], outcomes: ReadonlyMap<string, FileOutcome>): string {
  const ran = files.flatMap((file) => outcomes.get(file.path) ?? []);
  const tests = ran.flatMap((file) => file.tests);
  const count = (state: TestOutcome['state']): string => String(tests.filter((test) => test.state === state).length);
  const duration_ms = ran.reduce((sum, file) => sum + file.duration_ms, 0);
  return row([
    category,
    String(files.length),
    count('passed'),
    count('failed'),
    count('skipped'),
    seconds(duration_ms),
  ]);
}

function printSlowest(outcomes: readonly FileOutcome[]): void {
  const slowest = outcomes.toSorted((a, b) => b.duration_ms - a.duration_ms).slice(0, slowestShown);
  console.log(pc.dim(`slowest: ${slowest.map((file) => `${file.path} ${seconds(file.duration_ms)} s`).join(', ')}`));
}

function row(cells: readonly [string, ...string[]]): string {
  const [first, ...rest] = cells;
  return first.padEnd(14) + rest.map((cell) => cell.padStart(9)).join('');
}

function seconds(duration_ms: number): string {
  return (duration_ms / 1000).toFixed(1);
}
