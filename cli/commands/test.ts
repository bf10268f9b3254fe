import { Command, InvalidArgumentError } from 'commander';
import { runTests } from '../test/run-tests.ts';
import { allCategories } from '../test/categories.ts';

interface Flags {
  readonly category?: readonly string[];
  readonly pattern?: string;
  readonly realServices?: boolean;
  readonly full?: boolean;
  readonly workers?: number;
  readonly fastFail?: boolean;
  readonly list?: boolean;
  readonly contract?: boolean;
  readonly report?: string;
}

/** `./netra test`: the checks, then every test on real stores. */
export function testCommand(): Command {
  return new Command('test')
    .description('the checks, then every test, on real stores that are started for it')
    .option('--category <names>', `only these, by comma: ${allCategories.join(', ')}`, names)
    .option('--pattern <glob>', 'only files whose path or name matches; a plain word matches any path that has it')
    .option('--real-services', 'use the servers that NETRA_TEST_{POSTGRES,CLICKHOUSE,REDIS}_URL name')
    .option('--full', 'heavy tests at full length, as they are where their category is asked for by name')
    .option('--workers <n>', 'test files at a time', positiveInteger)
    .option('--fast-fail', 'stop at the first failure')
    .option('--list', 'print the files that would run, and run none')
    .option('--contract', 'run the contract files alone and print the table of guarantees')
    .option('--report <dir>', 'write junit.xml, report.html and results.json there')
    .action(async (flags: Flags) => {
      process.exitCode = await runTests({
        categories: flags.category ?? [],
        pattern: flags.pattern,
        real_services: flags.realServices === true,
        full: flags.full === true,
        workers: flags.workers,
        fast_fail: flags.fastFail === true,
        list: flags.list === true,
        contract: flags.contract === true,
        report: flags.report,
      });
    });
}

function names(value: string): readonly string[] {
  return value
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function positiveInteger(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new InvalidArgumentError('a whole number from 1 on');
  return Number(value);
}
