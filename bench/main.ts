/**
 * `./netra bench [--json] [--short] [--only SECTIONS]`: each figure beside its floor in the same run. Machines differ
 * and are noisy: read the ratio. Nothing here fails on a figure.
 */
import { parseArgs } from 'node:util';
import { describeRow, printTable, type Row } from './print-table.ts';
import { sections } from './sections.ts';
import { full, short } from './sizes.ts';
import { startHouse } from './start-house.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const names = values.only?.split(',') ?? Object.keys(sections);
const unknown = names.filter((name) => sections[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`bench: no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}\n`);
  process.exit(2);
}
const house = await startHouse();
const rows: Row[] = [];
try {
  for (const name of names) {
    for await (const row of sections[name]?.(house, values.short ? short : full) ?? []) {
      rows.push(row);
      process.stderr.write(`measured: ${describeRow(row)}\n`);
    }
  }
} finally {
  // Also where a later one failed: what was measured took minutes.
  process.stdout.write(values.json ? `${JSON.stringify({ type: 'bench', rows })}\n` : printTable(rows));
  await house.close();
}
