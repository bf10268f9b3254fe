import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckedRow } from './check-row.ts';
import type { SpoolFile } from './spool-file.ts';
import { RowSpool } from './spool-rows.ts';
import { importColumns, lineOf, requestIdOf, withConstants } from './written-rows.ts';

const row: CheckedRow = {
  at: '2026-10-01 10:00:00.0000000',
  user_id: '',
  agent: '',
  feature: '',
  model: 'gpt-4o',
  input_tokens: 7,
  cached_input_tokens: 0,
  output_tokens: 1,
  cost_usd: '0.1',
  price_book: 'given',
  status: 'ok',
  error: '',
  latency_ms: null,
  request_id: '',
  prompt_hash: '',
  prefix_hash: '',
  prefix_tokens: 0,
  retry_of: '',
  call: null,
};
const constants = {
  org_id: '11111111-1111-1111-1111-111111111111',
  import_id: 'aaaaaaaa-aaaa-8aaa-aaaa-000000000000',
  synthetic: true,
  origin: '',
};

/** A spool in memory: what is tested here is what is written, and where it says that it is. */
function memory(): SpoolFile & { text(): string } {
  const parts: Uint8Array[] = [];
  const all = (): Buffer => Buffer.concat(parts);
  return {
    get size() {
      return all().length;
    },
    append: async (bytes) => void parts.push(Uint8Array.from(bytes)),
    read: async (from, to) => all().subarray(from, to),
    close: async () => undefined,
    text: () => all().toString(),
  };
}

async function spoolOf(rows: readonly (readonly [number, CheckedRow])[]) {
  const spool = memory();
  const spooled = new RowSpool(spool);
  for (const [line, each] of rows) spooled.add(line, each);
  return { spool, batches: await spooled.end() };
}

/** A line of TabSeparated text as its format's page describes it. */
function cellsOf(line: string): Record<string, string> {
  const unescape = (cell: string): string =>
    cell.replaceAll(/\\(.)/g, (_, letter: string) => ({ t: '\t', n: '\n', r: '\r' })[letter] ?? letter);
  return Object.fromEntries(line.split('\t').map((cell, at) => [importColumns[at], unescape(cell)]));
}

describe('spooled rows', () => {
  // Planted bug that turns it red: a column too few before `latency_ms`, or a line break that is not escaped.
  it('have each value in its column, whatever it holds', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'ü', '猫', '😀', '\\', '\t', '\n', '\r', 'N'),
      maxLength: 512,
    });
    const whole = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 1_000_000_000_000 }));
    const texts = { user_id: text, agent: text, feature: text, model: text, error: text, retry_of: text };
    const hashes = { request_id: text, prompt_hash: text, prefix_hash: text };
    const tokens = { input_tokens: whole, cached_input_tokens: whole, output_tokens: whole, prefix_tokens: whole };
    const any = fc.record({ ...texts, ...hashes, ...tokens, latency_ms: fc.option(fc.nat(4_294_967_295)) });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { minLength: 1, maxLength: 20 }), whole, async (random, first) => {
        // Ids are one call's each: the same one twice would be kept once.
        const some = random.map((one, at) => ({ ...one, request_id: `${one.request_id}${at}` }));
        const rows = some.map((one, at) => [first + at, { ...row, ...one }] as const);
        const { spool, batches } = await spoolOf(rows);
        for (const { first: from_line, from, to } of batches) {
          const written = (await spool.read(from, to)).toString();
          const lines = withConstants(written, constants).split('\n');
          expect(lines.pop()).toBe('');
          lines.forEach((line, at) => {
            const number = from_line + at;
            const expected = { ...row, ...some[number - first], source: 'import', import_line: number };
            const event_id = constants.import_id.slice(0, 24) + number.toString(16).padStart(12, '0');
            const { call: _, ...columns } = expected;
            const cells = Object.entries({ ...constants, ...columns, event_id });
            expect(cellsOf(line)).toEqual(
              Object.fromEntries(cells.map(([name, value]) => [name, value === null ? 'N' : String(value)])),
            );
            const alone = written.split('\n')[at] ?? '';
            expect(lineOf(alone)).toBe(String(number));
            expect(requestIdOf(Buffer.from(alone).toString('latin1'))).toBe(some[number - first]?.request_id);
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are cut into batches by line, by months and by bytes, without a gap', async () => {
    const long = { ...row, error: '猫'.repeat(512), request_id: 'x'.repeat(500) };
    const monthly = Array.from({ length: 61 }, (_, month) => {
      const at = `${2016 + Math.floor(month / 12)}-${String(1 + (month % 12)).padStart(2, '0')}-01 00:00:00.0000000`;
      return [100_000 + month, { ...row, at }] as const;
    });
    const many = Array.from({ length: 7_000 }, (_, at) => {
      return [200_000 + at, { ...long, request_id: `${long.request_id}${at}` }] as const;
    });
    const { spool, batches } = await spoolOf([
      [2, row],
      [24_999, row],
      [25_000, row],
      [99_999, row],
      ...monthly,
      ...many,
    ]);
    const [byBytes = Number.NaN] = batches.filter(({ first }) => first === 200_000).map(({ last }) => last);
    expect(batches.map(({ first, last }) => [first, last])).toEqual([
      [2, 24_999],
      [25_000, 25_000],
      [99_999, 99_999],
      [100_000, 100_059],
      [100_060, 100_060],
      [200_000, byBytes],
      [byBytes + 1, 206_999],
    ]);
    expect(batches.map(({ from }) => from)).toEqual([0, ...batches.slice(0, -1).map(({ to }) => to)]);
    expect(batches.at(-1)?.to).toBe(spool.size);
    for (const { from, to } of batches) expect(to - from).toBeLessThan(9 * 2 ** 20);
  });
});
