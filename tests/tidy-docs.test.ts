import { existsSync, globSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { readValueHeader } from '@netra/testkit';
import { describe, expect, it } from 'vitest';
import { contractFiles } from './contract-files.ts';
import { root, sourceFiles, linesThatMatch } from './source-files.ts';

const documents = sourceFiles('*.md', 'docs/**/*.md');

/** Paths that a document names: in backticks from a top folder of ours, or as the target of a link. */
function namedPaths(document: { readonly path: string; readonly text: string }): readonly string[] {
  const quoted = [
    ...document.text.matchAll(/`((?:\.ci|bench|cli|docs|migrations|packages|server|tests)\/[^\s`<>…]*)`/g),
  ];
  const linked = [...document.text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)/g)];
  return [
    ...quoted.map(([, path = '']) => path),
    ...linked.map(([, path = '']) => normalize(join(dirname(document.path), path))),
  ];
}

describe('documents', () => {
  // Planted bug that turns it red: a file renamed without its documents.
  it('name no path that is gone', () => {
    const gone = documents.flatMap((document) =>
      namedPaths(document)
        .filter((path) =>
          /[*{]/.test(path) ? globSync(path, { cwd: root }).length === 0 : !existsSync(join(root, path)),
        )
        .map((path) => `${document.path}: ${path}`),
    );
    expect(gone).toEqual([]);
  });

  it('number every decision once, and repeat the number in its title', () => {
    const decisions = sourceFiles('docs/decisions/*.md');
    const numbers = decisions.map(({ path }) => basename(path).slice(0, 4));
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
    const untitled = decisions.filter(({ text }, index) => !text.startsWith(`# ${numbers[index]} `));
    expect(untitled.map(({ path }) => path)).toEqual([]);
  });

  it('open every contract file with its business value', () => {
    const missing = contractFiles
      .filter((path) => existsSync(join(root, path)))
      .flatMap((path) => {
        try {
          readValueHeader(join(root, path));
          return [];
        } catch (error) {
          return [String(error)];
        }
      });
    expect(missing).toEqual([]);
  });

  it('know nothing of the machine that somebody wrote them on', () => {
    const everything = sourceFiles(
      '{server,packages,cli,bench,tests,docs,migrations}/**/*.{ts,md,sql,json,yaml,svg}',
      '*.{md,json,ts}',
      'netra',
      '.ci/run',
    );
    const elsewhere =
      /(^|[\s'"`(=])\/(home|Users|root|work|workspace|mnt)\/[a-z]|\b(10|192\.168)\.\d+\.\d+\.\d+\b|\/\/[\w.-]+\.(internal|corp|lan)\b/;
    // The addresses that a webhook must not reach are somebody's machine, on purpose.
    const others = ['package-lock.json', 'tests/integration/business/webhooks.test.ts'];
    const own = everything.filter(({ path }) => !path.startsWith('tests/tidy') && !others.includes(path));
    expect(linesThatMatch(own, elsewhere)).toEqual([]);
  });
});
