import pc from 'picocolors';
import { contract, type Guarantee } from '../../tests/contract.ts';
import type { FileOutcome, TestOutcome } from './results.ts';

export interface JudgedGuarantee {
  readonly guarantee: Guarantee;
  readonly tests: number;
  readonly duration_ms: number;
  /** `open`: not claimed yet, and honest about it. `no test`: claimed, and nothing proves it, which is a failure. */
  readonly verdict: 'proved' | 'failed' | 'no test' | 'open';
}

/** The files that prove the contract. */
export const contractFiles: ReadonlySet<string> = new Set(contract.map((guarantee) => guarantee.file));

/** A verdict for each guarantee, from the tests whose title, or a block's around it, starts with its id. */
export function judgeContract(files: readonly FileOutcome[]): readonly JudgedGuarantee[] {
  return contract.map((guarantee) => {
    const own = files.find((file) => file.path === guarantee.file)?.tests ?? [];
    const tests = own.filter((test) => test.titles.some((title) => startsWithId(title, guarantee.id)));
    return {
      guarantee,
      tests: tests.length,
      duration_ms: tests.reduce((sum, test) => sum + test.duration_ms, 0),
      verdict: verdictOf(guarantee, tests),
    };
  });
}

function startsWithId(title: string, id: string): boolean {
  return title.startsWith(id) && !/^\d/.test(title.slice(id.length));
}

function verdictOf(guarantee: Guarantee, tests: readonly TestOutcome[]): JudgedGuarantee['verdict'] {
  if (tests.some((test) => test.state === 'failed')) return 'failed';
  if (guarantee.open) return 'open';
  return tests.some((test) => test.state === 'passed') ? 'proved' : 'no test';
}

const colours = { proved: pc.green, failed: pc.red, 'no test': pc.red, open: pc.yellow } as const;

/** The whole table, or only what is claimed and not proved. */
export function printContract(judged: readonly JudgedGuarantee[], options: { readonly whole: boolean }): void {
  const shown = options.whole ? judged : judged.filter((one) => one.verdict === 'no test');
  if (shown.length === 0) return;
  const width = Math.max(...shown.map((one) => one.guarantee.title.length));
  console.log(
    `\n${'id'.padEnd(14)}${'guarantee'.padEnd(width + 2)}${'tests'.padStart(5)}${'seconds'.padStart(9)}  verdict`,
  );
  for (const one of shown) {
    const time = one.tests === 0 ? '' : (one.duration_ms / 1000).toFixed(1);
    console.log(
      one.guarantee.id.padEnd(14) +
        one.guarantee.title.padEnd(width + 2) +
        String(one.tests).padStart(5) +
        `${time.padStart(9)}  ${colours[one.verdict](one.verdict)}`,
    );
  }
  const proved = judged.filter((one) => one.verdict === 'proved').length;
  const open = judged.filter((one) => one.verdict === 'open').length;
  console.log(`${proved} proved, ${open} open, ${judged.length - proved - open} failed or without a test\n`);
}
