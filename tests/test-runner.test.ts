import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

/**
 * The runner judged by planted files: each is a way in which a suite looks green and proves nothing. The planted bug
 * that turns a test red is to take its line out of cli/test/judge-run.ts.
 */
const test = (body: string): string => `import { expect, it } from 'vitest';\n${body}\n`;
const planted = {
  'server/green.test.ts': test(`it('adds', () => expect(1 + 1).toBe(2));`),
  'server/red.test.ts': test(`it('adds', () => expect(1 + 1).toBe(3));`),
  'server/empty.test.ts': test(`export const nothing = [expect, it];`),
  'server/passed-over.test.ts': test(`it.skip('adds', () => expect(1 + 1).toBe(2));`),
  'server/asserts-nothing.test.ts': test(`it('adds', () => void expect);`),
  'server/retried.test.ts': test(`let times = 0;\nit('adds', { retry: 2 }, () => expect(++times).toBe(2));`),
  'server/unloadable.test.ts': `import './gone.ts';\n${test(`it('adds', () => expect(1).toBe(1));`)}`,
  'server/rejects-later.test.ts': test(
    `it('adds', () => {\n  void Promise.reject(new Error('nobody waits'));\n  expect(1).toBe(1);\n});`,
  ),
  'tests/integration/business/credits.test.ts': test(`it('adds', () => expect(1 + 1).toBe(2));`),
} as const;

const unnamedStores = { NETRA_TEST_POSTGRES_URL: '', NETRA_TEST_CLICKHOUSE_URL: '', NETRA_TEST_REDIS_URL: '' };

interface Ended {
  readonly code: number | null;
  readonly lastLine: string;
  readonly output: string;
}

describe('./netra test', () => {
  let scratch: string;

  function netraTest(...args: readonly string[]): Ended {
    const run = spawnSync(process.execPath, [join(scratch, 'cli', 'main.ts'), 'test', ...args], {
      cwd: '/',
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', ...unnamedStores },
    });
    const output = run.stdout + run.stderr;
    return { code: run.status, lastLine: run.stdout.trimEnd().split('\n').at(-1) ?? '', output };
  }

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'netra-runner-'));
    for (const [path, text] of Object.entries(planted)) {
      mkdirSync(dirname(join(scratch, path)), { recursive: true });
      writeFileSync(join(scratch, path), text);
    }
    for (const path of ['cli', 'tests/contract.ts', 'package.json']) {
      cpSync(join(root, path), join(scratch, path), { recursive: true, filter: (from) => !from.endsWith('.test.ts') });
    }
    symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
    // The house's own configuration without its stores: what is under test here is the verdict.
    const config = readFileSync(join(root, 'vitest.config.ts'), 'utf8').replace(/^.*globalSetup.*\n/m, '');
    writeFileSync(join(scratch, 'vitest.config.ts'), config);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('passes what passes, ends with the count, and writes both reports', () => {
    const report = join(scratch, 'reports');
    const run = netraTest('--pattern', 'green.test.ts', '--report', report);
    expect(run).toMatchObject({ code: 0, lastLine: '1 passed, 0 failed' });
    expect(readFileSync(join(report, 'junit.xml'), 'utf8')).toContain('tests="1" failures="0"');
    expect(readFileSync(join(report, 'report.html'), 'utf8')).toContain('1 passed, 0 failed');
  });

  it.for([
    ['red.test.ts', '0 passed, 1 failed', 'expected 2 to be 3'],
    ['empty.test.ts', '0 passed, 1 failed', 'No test suite found'],
    ['passed-over.test.ts', '0 passed, 1 failed, 1 skipped', 'executed 0 tests'],
    ['asserts-nothing.test.ts', '0 passed, 1 failed', 'expected any number of assertion'],
    ['retried.test.ts', '1 passed, 1 failed', 'retried 1 times'],
    ['unloadable.test.ts', '0 passed, 1 failed', 'gone.ts'],
    ['rejects-later.test.ts', '1 passed, 1 failed', 'nobody waits'],
  ] as const)('fails on %s', ([pattern, lastLine, reason]) => {
    const run = netraTest('--pattern', pattern);
    expect(run).toMatchObject({ code: 1, lastLine });
    expect(run.output).toContain(reason);
  });

  it('refuses a category, group or pattern that matches no test', () => {
    for (const args of [
      ['--category', 'chaos'],
      ['--category', 'nope'],
      ['--pattern', 'zzz*'],
      ['--category', 'business,api'],
    ]) {
      const run = netraTest(...args);
      expect(run.code, args.join(' ')).toBe(1);
      expect(run.output).toMatch(/no (test file|category)/);
    }
  });

  it('lists by category and group, and runs nothing', () => {
    const run = netraTest('--list', '--category', 'integration');
    expect(run).toMatchObject({ code: 0, lastLine: 'business     tests/integration/business/credits.test.ts' });
  });

  it('names each missing server when real services are asked for', () => {
    const run = netraTest('--real-services', '--category', 'unit');
    expect(run.code).toBe(1);
    expect(run.output).toContain(Object.keys(unnamedStores).join(', '));
  });

  it('refuses a test file that no category would ever run', () => {
    const stray = join(scratch, 'tests', 'integration', 'credits.spec.ts');
    writeFileSync(stray, planted['server/green.test.ts']);
    try {
      const run = netraTest('--pattern', 'green.test.ts');
      expect(run.code).toBe(1);
      expect(run.output).toContain('tests/integration/credits.spec.ts');
    } finally {
      rmSync(stray);
    }
    expect(existsSync(stray)).toBe(false);
  });

  it('stops at the first failure when told to, without calling the rest a success', () => {
    const run = netraTest('--category', 'unit', '--fast-fail', '--workers', '1');
    expect(run.code).toBe(1);
    expect(run.lastLine).toMatch(/^\d+ passed, [1-9]\d* failed/);
  });
});
