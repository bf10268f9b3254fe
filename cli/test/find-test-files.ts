import { globSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { repositoryRoot } from '../repository.ts';
import { categoryOf, expandCategories, type Category } from './categories.ts';

export interface TestFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly category: Category;
}

const folders = '{packages,server,cli,bench,tests}/**';
// Wider than what runs: a file named `.spec.ts` or `.test.js` would else be passed over in silence.
const testLike = `${folders}/*{.,_}{test,spec}{s,}.{ts,tsx,mts,cts,js,jsx,mjs,cjs}`;

/** Every test file of the repository. Throws an Error that names those which no category would ever run. */
export function findTestFiles(): readonly TestFile[] {
  const paths = globSync(testLike, { cwd: repositoryRoot, exclude: (name) => name === 'node_modules' }).toSorted();
  const files = paths.map((path) => ({ path, category: path.endsWith('.test.ts') ? categoryOf(path) : undefined }));
  const homeless = files.filter((file) => file.category === undefined);
  if (homeless.length > 0) {
    throw new Error(
      `test files that no category would run: ${homeless.map((file) => file.path).join(', ')}\n` +
        'Name them *.test.ts, and put them beside the code or into tests/{integration,e2e,<heavy>}/<category>/.',
    );
  }
  return files.filter((file): file is TestFile => file.category !== undefined);
}

/** Those of the files that were asked for. Throws an Error when a category or the pattern matches none. */
export function selectTestFiles(
  files: readonly TestFile[],
  wanted: { readonly categories: readonly string[]; readonly pattern: string | undefined },
): readonly TestFile[] {
  const pattern = wanted.pattern;
  const named = expandCategories(wanted.categories);
  const matching = files
    .filter((file) => named.size === 0 || named.has(file.category))
    .filter((file) => pattern === undefined || matchesPattern(file.path, pattern));
  if (matching.length === 0) throw new Error(`no test file matches ${describeWanted(wanted)}`);
  const empty = wanted.categories.filter(
    (name) => !matching.some((file) => expandCategories([name]).has(file.category)),
  );
  if (empty.length > 0) throw new Error(`no test file in category ${empty.join(', ')}`);
  return matching;
}

/** A glob over the path or the file's name; a word without wildcards matches any path that contains it. */
function matchesPattern(path: string, pattern: string): boolean {
  if (!/[*?[\]{}]/.test(pattern)) return path.includes(pattern);
  return matchesGlob(path, pattern) || matchesGlob(path.slice(path.lastIndexOf('/') + 1), pattern);
}

function describeWanted(wanted: {
  readonly categories: readonly string[];
  readonly pattern: string | undefined;
}): string {
  const parts = [
    ...(wanted.categories.length > 0 ? [`--category ${wanted.categories.join(',')}`] : []),
    ...(wanted.pattern === undefined ? [] : [`--pattern ${wanted.pattern}`]),
  ];
  return parts.length > 0 ? parts.join(' ') : 'at all';
}
