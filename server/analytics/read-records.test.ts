import { NetraError } from '@netra/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxLineBytes } from './read-lines.ts';
import { readRecords, type RecordOptions, type UsageRecord } from './read-records.ts';
import { usageColumns, type UsageColumn } from './schemas.ts';

const plain: RecordOptions = { format: 'csv', map: {}, given: new Set<UsageColumn>(['model']) };
const header = 'time,feature,input_tokens,output_tokens\n';

async function* chunked(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    if (cut > from && cut < bytes.length) {
      yield bytes.subarray(from, cut);
      from = cut;
    }
  }
  yield bytes.subarray(from);
}

async function read(content: string | Buffer, options: RecordOptions = plain, cuts: readonly number[] = []) {
  const records: UsageRecord[] = [];
  for await (const some of readRecords(chunked(Buffer.from(content), cuts), options)) records.push(...some);
  return records.map((record) => ('values' in record ? { line: record.line, ...named(record.values) } : record));
}

function named(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    usageColumns.flatMap((column, place) => ((values[place] ?? '') === '' ? [] : [[column, values[place] ?? '']])),
  );
}

async function refusal(content: string | Buffer, options = plain): Promise<NetraError> {
  const error: unknown = await read(content, options).catch((reason: unknown) => reason);
  if (error instanceof NetraError) return error;
  throw new Error(`read without a refusal: ${String(content)}`);
}

describe('readRecords of CSV', () => {
  it('takes a last line without a line break, and CRLF', async () => {
    expect(await read(`${header}t1,f,1,2\r\nt2,,3,4`)).toEqual([
      { line: 2, time: 't1', feature: 'f', input_tokens: '1', output_tokens: '2' },
      { line: 3, time: 't2', input_tokens: '3', output_tokens: '4' },
    ]);
  });

  it('says that the file ends inside a half line', async () => {
    const [, half] = await read(`${header}t1,f,1,2\nt2,f,3`);
    expect(half).toEqual({ line: 3, error: 'has 3 columns, not 4 (the file ends inside this line)' });
  });

  it('keeps line numbers over quoted line breaks, and reads quotes as RFC 4180 has them', async () => {
    const records = await read(`${header}t1,"a ""b"", c\nd",1,2\nt2,"x\nt3,y",3,4\nt4,f,5,6\n`);
    expect(records.map((record) => [record.line, 'feature' in record ? record.feature : record])).toEqual([
      [2, 'a "b", c\nd'],
      [4, 'x\nt3,y'],
      [6, 'f'],
    ]);
  });

  it('refuses a quote that never closes where it opens', async () => {
    expect((await read(`${header}t1,f,1,2\nt2,"f,3,4\nt3,f,5,6\n`)).at(-1)).toMatchObject({ line: 3 });
  });

  it('names missing and present columns', async () => {
    const error = await refusal('when,ContextTokens\n', { ...plain, map: { time: 'TIMESTAMP' } });
    expect(error.code).toBe('invalid_usage_file');
    expect(error.detail).toMatchObject({
      missing: ['TIMESTAMP (for time)', 'input_tokens', 'output_tokens'],
      present: ['when', 'ContextTokens'],
    });
  });

  it('refuses a column that is there twice', async () => {
    expect((await refusal('time,time,input_tokens,output_tokens\n')).message).toContain('twice');
  });

  it.each([
    ['1f8b0800', 'gzip'],
    ['504b0304', 'zip'],
    ['50415231', 'Parquet'],
    ['fffe7400', 'UTF-16'],
  ])('recognises %s as no text: %s', async (signature, name) => {
    expect((await refusal(Buffer.from(`${signature}00000000`, 'hex'))).message).toContain(name);
  });

  it('reads past UTF-8’s byte order mark', async () => {
    expect(await read(`\ufeff${header}t1,f,1,2\n`)).toHaveLength(1);
  });

  // Planted bug that turns it red: without `skipping`, the rest of a long line is read as a line of its own.
  it('finds the bad line among good ones, however the bytes arrive', async () => {
    const lines = [
      Buffer.from(header),
      Buffer.from('t2,ü,1,2\n'),
      Buffer.from([0x74, 0x00, 0x2c, 0x0a]),
      Buffer.from([0xff, 0xfe, 0x2c, 0x0a]),
      Buffer.from(`${'x'.repeat(3 * maxLineBytes)}\n`),
      Buffer.from('t6,f,1,2\n'),
    ];
    const file = Buffer.concat(lines);
    const expected = await read(file);
    expect(expected.map((record) => [record.line, 'error' in record ? record.error : ''])).toEqual([
      [2, ''],
      [3, 'is binary: it holds a zero byte'],
      [4, 'is not valid UTF-8'],
      [5, `is longer than ${maxLineBytes} bytes`],
      [6, ''],
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(file.length), { maxLength: 12 }), async (cuts) => {
        expect(await read(file, plain, cuts)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('reads any fields back, quoted or not, however the bytes arrive', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'ü', '"', ',', '\n', ' ', '7'), maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(field, { maxLength: 8 }), fc.array(fc.nat(200)), async (features, cuts) => {
        const quote = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
        const file = header + features.map((feature) => `t,${quote(feature)},1,2\n`).join('');
        const records = await read(file, plain, cuts);
        expect(records.map((record) => ('feature' in record ? record.feature : ''))).toEqual(features);
      }),
      { numRuns: 200 },
    );
  });
});

describe('readRecords of JSON lines', () => {
  const lines: RecordOptions = { ...plain, format: 'jsonl' };

  it('takes numbers and strings, and says which line is no object', async () => {
    const good = '{"time":"t","input_tokens":5,"output_tokens":"6"}';
    expect(await read(`${good}\n[1]\n\n{"time":`, lines)).toEqual([
      { line: 1, time: 't', input_tokens: '5', output_tokens: '6' },
      { line: 2, error: 'is not a JSON object' },
      { line: 4, error: 'is not a JSON object (the file ends inside this line)' },
    ]);
  });

  it('names the missing columns by its first object', async () => {
    expect((await refusal('{"t":1}\n', lines)).detail).toMatchObject({ present: ['t'] });
  });
});
