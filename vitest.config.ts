import { defineConfig } from 'vitest/config';

// What may hide a failure is off here for good: no retry, no `.only`, no test without an assertion, no empty run.
export default defineConfig({
  test: {
    include: ['{packages,server,cli,bench}/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: ['**/node_modules/**', '.netra/**', 'reports/**'],
    globalSetup: ['packages/testkit/global-setup.ts'],
    environment: 'node',
    pool: 'forks',
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    expect: { requireAssertions: true },
    // Real stores on a busy two-core machine: a deadline is for what hangs, not for what is slow.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
