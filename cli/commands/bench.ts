import { join } from 'node:path';
import { Command } from 'commander';
import { runProgram } from '../server-process.ts';
import { repositoryRoot } from '../repository.ts';

/** `./netra bench`: what it costs, each figure beside its floor in the same run. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure, each figure beside its floor in the same run')
    .option('--json', 'one JSON line on stdout')
    .option('--short', 'a minute instead of five: to see that it runs, not for figures')
    .option('--only <sections>', 'some of sockets, streams, log, ledger, growth, ingest, runs, costs, peers; by commas')
    .action(async (options: { readonly json?: boolean; readonly short?: boolean; readonly only?: string }) => {
      const flags = [
        ...(options.json === true ? ['--json'] : []),
        ...(options.short === true ? ['--short'] : []),
        ...(options.only === undefined ? [] : ['--only', options.only]),
      ];
      process.exitCode = await runProgram(join(repositoryRoot, 'bench', 'main.ts'), flags);
    });
}
