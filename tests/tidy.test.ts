import { existsSync, globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linesThatMatch, root, sourceFiles } from './source-files.ts';

// The house rules that no linter of ours knows. What a rule is for stands in CONTRIBUTING.md. Each was seen red with a
// file that breaks it; the imports between rooms are the linter's, and tests/lint-rules.test.ts proves that it looks.
const isTest = (path: string): boolean => path.endsWith('.test.ts');
const typescript = sourceFiles('{server,packages,cli,bench,tests}/**/*.ts', '*.ts');
const server = typescript.filter(({ path }) => path.startsWith('server/') && !isTest(path));

describe('source', () => {
  it('reads the environment in server/platform/config.ts only', () => {
    const readers = [...server, ...sourceFiles('packages/{contract,client}/**/*.ts')].filter(
      ({ path }) => path !== 'server/platform/config.ts',
    );
    expect(linesThatMatch(readers, /\bprocess\.env\b/)).toEqual([]);
  });

  it('keeps SQL in platform/ and in sql/', () => {
    const elsewhere = server.filter(({ path }) => !path.startsWith('server/platform/') && !path.includes('/sql/'));
    const statement =
      /['"`]\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|select\s+(netra\.|set_config))/i;
    expect(linesThatMatch(elsewhere, statement)).toEqual([]);
  });

  it('has no file over 400 lines', () => {
    const long = typescript.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path);
    expect(long).toEqual([]);
  });

  it('leaves nothing for later, and logs through the log', () => {
    expect(linesThatMatch(server, /\b(TODO|FIXME|XXX|HACK)\b|\bconsole\.\w+\(/)).toEqual([]);
  });

  it('has no room called utils, helpers, manager, service or common', () => {
    const vague = /(^|[/.-])(utils?|helpers?|manager|services?|common|misc)([/.-]|$)/i;
    expect(typescript.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  it('silences no checker without a reason beside it', () => {
    const silenced = linesThatMatch(
      typescript,
      /@ts-(ignore|nocheck)|@ts-expect-error\s*$|(eslint|oxlint)-disable(?!.*--)/,
    );
    expect(silenced.filter((line) => !line.startsWith('tests/tidy.test.ts'))).toEqual([]);
  });
});

describe('tests', () => {
  it('are never skipped, singled out, expected to fail or run again', () => {
    const tests = typescript.filter(({ path }) => isTest(path));
    const dodge = /\b(it|test|describe|suite)\.(skip|only|todo|fails|skipIf|runIf)\b|\bretry:\s*[1-9]|\brepeats:/;
    expect(linesThatMatch(tests, dodge).filter((line) => !/^tests\/(tidy|test-runner)\.test\.ts/.test(line))).toEqual(
      [],
    );
  });

  it('replace nothing with a pretence', () => {
    const tests = typescript.filter(({ path }) => isTest(path) && !path.startsWith('tests/tidy.test.ts'));
    expect(linesThatMatch(tests, /\bvi\.(mock|fn|spyOn|stub\w+|useFakeTimers|doMock|hoisted)\b/)).toEqual([]);
  });
});

describe('packages', () => {
  it('pin every dependency to one version', () => {
    const manifests = sourceFiles('package.json', '{server,cli,bench}/package.json', 'packages/*/package.json');
    const ranges = manifests.flatMap(({ path, text }) => {
      const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
      const named = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
      const versions = named.flatMap((kind) => Object.entries(manifest[kind] ?? {}));
      return versions
        .filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+/.test(version))
        .map(([name]) => `${path}: ${name}`);
    });
    expect(ranges).toEqual([]);
  });
});

describe('the lock file', () => {
  // npm writes a lock without the packages of other platforms when it is run beside a filled node_modules, and then
  // refuses that very lock in a fresh clone.
  it('names every optional package, so that a fresh clone can install', () => {
    const lock = JSON.parse(sourceFiles('package-lock.json')[0]?.text ?? '') as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('migrations', () => {
  it('have a way back, a first line that says what they break, and dense numbers', () => {
    const wrong = ['postgres', 'clickhouse'].flatMap((store) => {
      const ups = sourceFiles(`migrations/${store}/*.up.sql`);
      return ups.flatMap(({ path, text }, index) => [
        ...(basename(path).startsWith(`${String(index + 1).padStart(4, '0')}_`)
          ? []
          : [`${path}: not number ${index + 1}`]),
        ...(existsSync(join(root, path.replace('.up.sql', '.down.sql'))) ? [] : [`${path}: no way back`]),
        ...(/^-- (not )?breaking: \S/.test(text) ? [] : [`${path}: its first line does not say what it breaks`]),
      ]);
    });
    expect(wrong).toEqual([]);
  });

  it('have nothing but numbered steps in their folders', () => {
    const strays = globSync('migrations/*/*', { cwd: root }).filter(
      (path) => !/\/\d{4}_[a-z_]+\.(up|down)\.sql$/.test(path),
    );
    expect(strays).toEqual([]);
  });
});
