/**
 * Segment: everyone who looks at the product for the first time.
 * Goal: one command does the main job for real, on the sample or on one's own file, and says plainly what is wrong.
 * Value: from a clone to a figure that can be believed, without an account, a key or a service to set up.
 * Strategic impact: what cannot be tried in a minute is not tried.
 *
 * Planted bugs that turn this red: add an event's frame to stdout a second time, print a step there, drop the last line
 * of a file that has no newline, keep the good rows of a refused file without being asked.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventData } from '@netra/contract';
import { plainEnvironment, suite } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';

const own = suite();
const cli = join(import.meta.dirname, '../../../cli/main.ts');
// Real calls of an Azure service, where a checkout has them beside it; never part of this tree.
const azure = join(import.meta.dirname, '../../../../shared/data/azure-llm-inference-code-2023.csv');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netra-demo-'));
  own.onEnd(() => rm(folder, { recursive: true, force: true }));
});

interface Ended {
  readonly code: number;
  readonly lines: readonly Record<string, unknown>[];
  readonly stdout: string;
  readonly stderr: string;
}

/** On the suite's stores, or (`env` empty) on embedded ones that it starts itself. */
function demo(args: readonly string[], env: Readonly<Record<string, string>> = own.env): Promise<Ended> {
  const all = ['demo', '--json', '--data', join(folder, 'data'), ...args];
  return new Promise((resolve) => {
    const options = { env: plainEnvironment(env), timeout: 90_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [cli, ...all], options, (error, stdout, stderr) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), stdout, stderr });
    });
  });
}

async function fileOf(name: string, text: string | Buffer): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const map = 'time=TIMESTAMP,input_tokens=ContextTokens,output_tokens=GeneratedTokens';

/** As the public trace is: 100 ns, no model, no user, no newline at the end. */
function azureLike(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const at = new Date(Date.UTC(2023, 10, 16, 18) + row * 700).toISOString().replace('T', ' ').replace('Z', '');
    return `${at}${String(row % 10_000).padStart(4, '0')},${1 + ((row * 37) % 7_000)},${1 + ((row * 11) % 900)}`;
  });
  return ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines].join('\n');
}

/** What awk would say: calls, and the sums of the second and third column. */
function sums(csv: string): { calls: number; input_tokens: string; output_tokens: string } {
  const rows = csv
    .trimEnd()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','));
  const sum = (column: number): string => rows.reduce((total, row) => total + BigInt(row[column] ?? ''), 0n).toString();
  return { calls: rows.length, input_tokens: sum(1), output_tokens: sum(2) };
}

describe('demo', () => {
  it('does the main job on stores that it starts itself: live events, a report, a receipt that adds up', async () => {
    const { code, lines, stderr } = await demo([], {});
    expect(stderr).not.toMatch(/error/i);
    expect(code).toBe(0);
    const events = lines.slice(0, -1);
    const types = events.map(({ type }) => String(type));
    expect(types.filter((type) => !Object.hasOwn(eventData, type))).toEqual([]);
    expect(types).toEqual(
      expect.arrayContaining(['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed']),
    );
    expect(types.at(-1)).toBe('agent_completed');
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));

    const summary = lines.at(-1) as {
      type: string;
      events: number;
      credits: Record<'held_micro' | 'spent_micro' | 'released_micro' | 'balance_micro', string>;
      usage: { calls: number };
      recommendations: { saving_usd_month: Record<'low' | 'expected' | 'high', string> }[];
    };
    expect(summary.type).toBe('summary');
    expect(summary.events).toBe(events.length);
    const { held_micro, spent_micro, released_micro, balance_micro } = summary.credits;
    expect(BigInt(held_micro)).toBe(BigInt(spent_micro) + BigInt(released_micro));
    // The mid plan's 5,000 credits less what was spent.
    expect(BigInt(balance_micro)).toBe(5_000_000_000n - BigInt(spent_micro));
    expect(summary.recommendations.length).toBeGreaterThanOrEqual(6);
    for (const { saving_usd_month: saving } of summary.recommendations) {
      expect(Number(saving.low)).toBeLessThanOrEqual(Number(saving.expected));
      expect(Number(saving.expected)).toBeLessThanOrEqual(Number(saving.high));
    }
  }, 120_000);

  const files: readonly (readonly [string, () => string])[] = [
    ['a generated file of the same shape', () => azureLike(3_001)],
    ...(existsSync(azure) ? [['the public Azure trace', () => readFileSync(azure, 'utf8')] as const] : []),
  ];
  it.each(files)('counts calls and tokens of %s as awk does', async (_name, read) => {
    const text = read();
    const file = await fileOf('own.csv', text);
    const { code, lines } = await demo(['--file', file, '--format', 'csv', '--map', map, '--model', 'gpt-4o']);
    expect(code).toBe(0);
    expect(lines.at(-1)?.['usage']).toMatchObject(sums(text));
  });

  const header = 'time,input_tokens,output_tokens';
  const good = '2026-01-01T00:00:00Z,5,6';
  const refusals: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['wrong columns', 'a,b\n1,2\n', /lacks the column time, input_tokens, output_tokens\. It has: a, b/],
    ['negative tokens', `${header}\n${good}\n2026-01-01T00:00:00Z,-5,6\n`, /line 3: input_tokens is negative/],
    ['half a line', `${header}\n${good}\n2026-01-01T00:00:01Z,5`, /line 3: .*the file ends inside this line/],
    ['binary', Buffer.concat([Buffer.from('\u0089PNG\r'), Buffer.alloc(9_000)]), /line 1: is binary/],
    ['nothing', '', /it is empty/],
  ];
  it.each(refusals)('refuses a file with %s, names the line, and keeps nothing', async (_name, content, reason) => {
    const { code, stdout, stderr } = await demo(['--model', 'gpt-4o', '--file', await fileOf('bad.csv', content)]);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('refuses a file of more than 2 GiB before it starts anything', async () => {
    const file = await fileOf('huge.csv', header);
    await truncate(file, 2 ** 31 + 1); // sparse: it takes no room
    const { code, stderr } = await demo(['--model', 'gpt-4o', '--file', file]);
    expect(stderr).toMatch(/has 2147483649 bytes, at most 2147483648/);
    expect(stderr).not.toMatch(/starting/);
    expect(code).toBe(1);
  });

  it('refuses a file that is not there before it starts anything', async () => {
    const { code, stderr } = await demo(['--file', join(folder, 'none.csv')]);
    expect(stderr).toMatch(/cannot read .*none\.csv: there is no such file/);
    expect(stderr).not.toMatch(/starting/);
    expect(code).toBe(1);
  });

  it('keeps the good rows when told to, and counts both', async () => {
    const file = await fileOf('mixed.csv', `${header}\n${good}\n${good}\nnever,1,1\n`);
    const { code, lines, stderr } = await demo(['--model', 'gpt-4o', '--skip-bad', '--file', file]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/imported 2, rejected 1/);
    expect(lines.at(-1)?.['usage']).toMatchObject({ calls: 2, input_tokens: '10', output_tokens: '12' });
  });
});
