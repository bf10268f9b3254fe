import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

/**
 * Proves that the linter looks: a plugin that resolves no import reports nothing, and passes. Each file below breaks
 * one rule; planted bug that turns the test red: `import/resolver` or `jsPlugins` taken out of .oxlintrc.json.
 */
const value = 'export const value = 1;\n';
const breaches = {
  'server/ledger/sideways.ts': `export { value as a } from '../runs/index.ts';\n`,
  'server/plans/past-the-door.ts': `import { value } from '../ledger/inner.ts';\nexport const a = value;\n`,
  'server/platform/upwards.ts': `export * from '../runs/index.ts';\n`,
  'server/platform/type-only.ts': `import type { value } from '../runs/inner.ts';\nexport type A = typeof value;\n`,
  'server/runs/adapter.ts': `import { value } from '../http/index.ts';\nexport const a = value;\n`,
  'server/runs/composition.ts': `import { a } from '../main.ts';\nexport const b = a;\n`,
  'server/runs/testkit.ts': `import { suite } from '@netra/testkit';\nexport const a = suite;\n`,
  'cli/server.ts': `import { value } from '../server/platform/index.ts';\nexport const a = value;\n`,
  'cli/dynamic.ts': `export const a = await import('../server/main.ts');\n`,
  'packages/client/server.ts': `import { value } from '../../server/platform/index.ts';\nexport const a = value;\n`,
  'packages/contract/client.ts': `import { value } from '../client/index.ts';\nexport const a = value;\n`,
  'bench/testkit.ts': `import { suite } from '@netra/testkit';\nexport const a = suite;\n`,
  'server/runs/floating.ts': `export function a(): void {\n  Promise.resolve(1);\n}\n`,
  'server/runs/loud.ts': `export function a(): void {\n  console.log(1);\n}\n`,
} as const;
const allowed = {
  'server/platform/index.ts': value,
  'server/ledger/index.ts': value,
  'server/ledger/inner.ts': value,
  'server/runs/index.ts': value,
  'server/runs/inner.ts': value,
  'server/http/index.ts': value,
  'packages/contract/index.ts': value,
  'packages/client/index.ts': value,
  'server/main.ts': `import { value } from './http/index.ts';\nexport const a = value;\n`,
  'bench/processes.ts': `import { startServer } from '@netra/testkit/processes';\nexport const a = startServer;\n`,
  'server/plans/through-the-door.ts': `import { value } from '../ledger/index.ts';\nexport const a = value;\n`,
  'server/ledger/ground.ts': `import { value } from '../platform/index.ts';\nexport const a = value;\n`,
  'server/ledger/books.test.ts': `import { suite } from '@netra/testkit';\nimport { value } from '../runs/index.ts';\nexport const a = [suite, value];\n`,
} as const;

describe('the linter', () => {
  let scratch: string;
  let reported: ReadonlySet<string>;

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'netra-lint-'));
    for (const [path, text] of Object.entries({ ...breaches, ...allowed })) {
      mkdirSync(dirname(join(scratch, path)), { recursive: true });
      writeFileSync(join(scratch, path), text);
    }
    for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
      cpSync(join(root, name), join(scratch, name));
    symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
    const oxlint = join(root, 'node_modules', '.bin', 'oxlint');
    const run = spawnSync(process.execPath, [oxlint, '--type-aware', '--format=unix'], {
      cwd: scratch,
      encoding: 'utf8',
    });
    reported = new Set(
      [...run.stdout.matchAll(/^(\S+?):\d+:\d+:/gm)].map(([, path = '']) => path.replace(`${scratch}/`, '')),
    );
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.for(Object.keys(breaches))('refuses %s', (path) => {
    expect(reported).toContain(path);
  });

  it.for(Object.keys(allowed))('allows %s', (path) => {
    expect(reported).not.toContain(path);
  });
});
