import { storedCallColumns } from './call-columns.ts';

/** The columns of `usage` that an import fills, in the order of a row's cells. */
export const importColumns = [
  'org_id',
  'source',
  'origin',
  'import_id',
  'synthetic',
  'event_id',
  'import_line',
  'at',
  'user_id',
  'agent',
  'feature',
  'model',
  'input_tokens',
  'cached_input_tokens',
  'output_tokens',
  'cost_usd',
  'price_book',
  'status',
  'error',
  'latency_ms',
  'request_id',
  'prompt_hash',
  'prefix_hash',
  'prefix_tokens',
  'retry_of',
] as const;

/** The same with what tells more of a call. */
export const fullColumns = [...importColumns, ...storedCallColumns] as const;

/** The line in the file of a row that `RowWriter` wrote. */
export function lineOf(written: string): string {
  return written.slice(13, written.indexOf('\t', 13));
}

const idCell = 15;
const unescaped: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };

/** The id of the call in a row that `RowWriter` wrote, read as Latin-1; '' = it has none. */
export function requestIdOf(written: string): string {
  let from = 0;
  for (let cell = 0; cell < idCell; cell += 1) from = written.indexOf('\t', from) + 1;
  const text = Buffer.from(written.slice(from, written.indexOf('\t', from)), 'latin1').toString('utf8');
  return text.includes('\\') ? text.replaceAll(/\\(.)/g, (_, sign: string) => unescaped[sign] ?? sign) : text;
}

/** Whole rows of `RowWriter` with the import's own cells before each: those are not kept once a row. */
export function withConstants(
  rows: string,
  {
    org_id,
    origin,
    import_id,
    synthetic,
  }: { readonly org_id: string; readonly origin: string; readonly import_id: string; readonly synthetic: boolean },
): string {
  const cells = `${org_id}\timport\t${origin}\t${import_id}\t${synthetic}\t${import_id.slice(0, 24)}`;
  return cells + rows.slice(0, -1).replaceAll('\n', `\n${cells}`) + '\n';
}
