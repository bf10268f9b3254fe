/**
 * The command line: one file a command in `cli/commands/`, each exporting a function that makes its Command. A command
 * sets `process.exitCode`; stdout carries its answer, stderr everything else.
 */
import { Command } from 'commander';
import { benchCommand } from './commands/bench.ts';
import { checkCommand } from './commands/check.ts';
import { demoCommand } from './commands/demo.ts';
import { serverCommands } from './commands/server-commands.ts';
import { testCommand } from './commands/test.ts';

const program = new Command('netra')
  .description('Runs AI agents for paying users: durable runs, live streams, exact credits.')
  .showHelpAfterError();

for (const command of [demoCommand(), ...serverCommands(), benchCommand(), checkCommand(), testCommand()])
  program.addCommand(command);

try {
  await program.parseAsync();
} catch (error) {
  // A command reports its own failures; what arrives here is a defect, so it keeps its stack.
  console.error(error);
  process.exitCode = 1;
}
