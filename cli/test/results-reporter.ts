import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { resultsVariable, type FileOutcome, type RunOutcome, type TestOutcome } from './results.ts';

type SerializedErrors = Parameters<NonNullable<Reporter['onTestRunEnd']>>[1];

/** A vitest reporter: writes what happened as JSON, so that the verdict is ours and not read off a terminal. */
export default class ResultsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: SerializedErrors): void {
    const path = process.env[resultsVariable];
    if (path === undefined) throw new Error(`${resultsVariable} is not set`);
    const outcome: RunOutcome = { files: modules.map(fileOutcome), errors: unhandled.map(errorText) };
    writeFileSync(path, JSON.stringify(outcome));
  }
}

function fileOutcome(module: TestModule): FileOutcome {
  const diagnostic = module.diagnostic();
  const suiteErrors = [...module.children.allSuites()].flatMap((suite) => suite.errors().map(errorText));
  return {
    path: relative(process.cwd(), module.moduleId),
    duration_ms: diagnostic.collectDuration + diagnostic.duration,
    tests: [...module.children.allTests()].map(testOutcome),
    errors: [...module.errors().map(errorText), ...suiteErrors],
  };
}

function testOutcome(test: TestCase): TestOutcome {
  const result = test.result();
  const diagnostic = test.diagnostic();
  return {
    titles: titlesOf(test),
    state: result.state,
    duration_ms: diagnostic?.duration ?? 0,
    errors: (result.errors ?? []).map(errorText),
    retries: diagnostic?.retryCount ?? 0,
  };
}

function titlesOf(test: TestCase): readonly string[] {
  const titles = [test.name];
  let parent = test.parent;
  while (parent.type === 'suite') {
    titles.unshift(parent.name);
    parent = parent.parent;
  }
  return titles;
}

function errorText(error: { readonly message?: string; readonly stack?: string | undefined }): string {
  return error.stack ?? error.message ?? 'an error without a message';
}
