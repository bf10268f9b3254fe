import { Command } from 'commander';
import { runServerCommand } from '../server-process.ts';

interface Passthrough {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
}

/** Commands that the server itself carries out: the CLI starts it with the same words and hands on its exit code. */
const passthroughs: readonly Passthrough[] = [
  { name: 'start', summary: 'serve until SIGTERM', usage: '[--port N] [--data DIR]' },
  {
    name: 'admin',
    summary: 'operate: users, organisations, plans',
    usage: 'user create --email E --org NAME --plan PLAN [--json] [--ttl SECONDS] [--data DIR]',
  },
  { name: 'doctor', summary: 'check the books and the run log, read-only', usage: '[--json] [--data DIR]' },
  { name: 'migrate', summary: 'bring the stores up or down', usage: 'up|down|status [--to N] [--data DIR]' },
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
      .action(async (words: readonly string[]) => {
        process.exitCode = await runServerCommand([name, ...words]);
      }),
  );
}
