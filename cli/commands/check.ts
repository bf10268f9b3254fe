import { Command } from 'commander';
import { runChecks } from '../check/run-checks.ts';

/** `./netra check`: types, lint with room boundaries, dead code and format, all at once. */
export function checkCommand(): Command {
  return new Command('check')
    .description('types, lint (room boundaries, floating promises), dead code and format')
    .option('--fix', 'format in place, and mend what the linter can mend')
    .action(async (options: { readonly fix?: boolean }) => {
      const { failed } = await runChecks({ fix: options.fix === true });
      process.exitCode = failed === 0 ? 0 : 1;
    });
}
