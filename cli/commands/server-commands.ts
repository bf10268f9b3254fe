import { Command } from 'commander';
import { becomeServerCommand } from '../server-process.ts';

interface Passthrough {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
}

/** Commands that the server itself carries out: this process becomes it, with the same words. */
const passthroughs: readonly Passthrough[] = [
  { name: 'start', summary: 'serve until SIGTERM', usage: '[--port N] [--data DIR] [--agents DIR]' },
  {
    name: 'admin',
    summary: 'operate: users, organisations, plans',
    usage: 'NOUN VERB [words...]; without words it lists them',
  },
  {
    name: 'doctor',
    summary: 'check the books and the run log, read-only, and explain a breach',
    usage: '[--org ID] [--json] [--data DIR]',
  },
  {
    name: 'migrate',
    summary: 'bring the stores up or down',
    usage: 'up|down|status [--store postgres|clickhouse] [--steps N] [--data DIR]',
  },
  { name: 'config', summary: 'check the configuration', usage: 'check [--json]' },
];

export function serverCommands(): Command[] {
  return passthroughs.map(({ name, summary, usage }) =>
    new Command(name)
      .description(summary)
      .usage(usage)
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption('--help', 'show this')
      .action((words: readonly string[]) => becomeServerCommand([name, ...words])),
  );
}
