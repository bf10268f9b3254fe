/** What a file proves, by its place: nobody has to tag it, and nobody can forget to. */
const placeOf = {
  database: 'tests/integration/database/',
  config: 'tests/integration/config/',
  business: 'tests/integration/business/',
  api: 'tests/integration/api/',
  monitoring: 'tests/integration/monitoring/',
  websocket: 'tests/e2e/websocket/',
  compat: 'tests/e2e/compat/',
  chaos: 'tests/chaos/',
  load: 'tests/load/',
  security: 'tests/security/',
  performance: 'tests/performance/',
} as const;

export type Category = 'unit' | keyof typeof placeOf;

export const categories: readonly Category[] = ['unit', ...(Object.keys(placeOf) as (keyof typeof placeOf)[])];

/** Categories that run at full length when they are asked for by name; else short, from a seed, unless `--full` says so. */
export const heavyCategories: readonly Category[] = ['chaos', 'load', 'security', 'performance'];

const groups: Readonly<Record<string, readonly Category[]>> = {
  integration: ['database', 'config', 'business', 'api', 'monitoring'],
  e2e: ['websocket', 'compat'],
};

/** Every name that --category knows. */
export const allCategories: readonly string[] = [...categories, ...Object.keys(groups)];

const besideCode = /^(?:(?:packages|server|cli|bench)\/.*|tests\/[^/]+)\.test\.ts$/;

/** The category of a test file, by its path from the root; undefined if it lies where no category is. */
export function categoryOf(path: string): Category | undefined {
  if (besideCode.test(path)) return 'unit';
  return (Object.keys(placeOf) as (keyof typeof placeOf)[]).find((category) => path.startsWith(placeOf[category]));
}

/** The categories behind names and groups. Throws an Error that names each unknown one. */
export function expandCategories(names: readonly string[]): ReadonlySet<Category> {
  const unknown = names.filter((name) => !allCategories.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no category ${unknown.join(', ')}; there are ${allCategories.join(', ')}`);
  }
  return new Set(names.flatMap((name) => groups[name] ?? categories.filter((category) => category === name)));
}
