/**
 * The composition root's door: one process, one command. The commands live in `server/main/` and are the only code
 * that knows every room; rooms never import it.
 */
import { reportFailure } from './main/report-failure.ts';

interface Command {
  /** Resolves to the exit code. */
  run(args: readonly string[]): Promise<number>;
}

// Loaded when asked for: `stores` must not pay for the sign-in library, nor `admin` for the HTTP server.
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  admin: () => import('./main/admin.ts'),
  config: () => import('./main/config.ts'),
  doctor: () => import('./main/doctor.ts'),
  migrate: () => import('./main/migrate.ts'),
  sample: () => import('./main/sample.ts'),
  start: () => import('./main/start.ts'),
  stores: () => import('./main/stores.ts'),
};

// `… | head`: whoever reads has enough, and what is left needs no telling.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const [name = '', ...args] = process.argv.slice(2);
try {
  const load = commands[name];
  if (load === undefined) throw new Error(`no command '${name}'; there are: ${Object.keys(commands).join(', ')}`);
  const command = await load();
  process.exitCode = await command.run(args);
} catch (error) {
  process.exitCode = reportFailure(error);
}
