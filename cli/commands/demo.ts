import { join } from 'node:path';
import { Command, Option } from 'commander';
import { NetraError } from '@netra/contract';
import { runDemo } from '../demo/run-demo.ts';
import { UsageError, usageSource, type UsageOptions } from '../demo/usage-source.ts';
import { jsonView, terminalView } from '../demo/views.ts';

interface DemoOptions extends UsageOptions {
  readonly json?: boolean;
  readonly exit?: boolean;
  readonly port: string;
  readonly data: string;
}

/** `./netra demo`: starts everything embedded, does the main job, prints where to look. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('start everything embedded, import usage, ask the optimization agent what can be saved')
    .option('--json', 'NDJSON on stdout: each event, then a summary; exits when done')
    .option('--exit', 'end when done instead of serving until Ctrl-C')
    .option('--file <path>', 'your own usage instead of the synthetic sample')
    .addOption(
      new Option('--format <format>', 'of the file')
        .choices(['auto', 'csv', 'jsonl', 'litellm', 'langfuse'])
        .default('auto'),
    )
    .option('--map <pairs>', 'field=Column,… where the column names are not ours')
    .option('--model <name>', 'the model of all rows, where the file names none')
    .option('--user <name>', 'the user of all rows, where the file names none')
    .option('--skip-bad', 'keep the good rows of a file that has bad ones')
    .option('--seed <n>', 'of the synthetic sample', '1')
    .option('--port <n>', '0 = any free one', '0')
    .option('--data <dir>', 'where the embedded stores keep their data', join('.netra', 'demo'))
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  try {
    process.exitCode = await show(options);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof NetraError)) throw error;
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = 1;
  }
}

async function show(options: DemoOptions): Promise<number> {
  const { json = false, exit = false, data, port } = options;
  const source = await usageSource(options);
  const stdout = (text: string): void => void process.stdout.write(text);
  const stderr = (text: string): void => void process.stderr.write(text);
  const view = json ? jsonView(stdout, stderr) : terminalView(stdout);
  const { server, ok } = await runDemo({ data, port, source, view });
  if (!json && !exit) {
    stdout(`\nServing ${server.url} (API description at ${server.url}/openapi.json). Ctrl-C ends it.\n`);
    return server.serveUntilTold(ok ? 0 : 1);
  }
  await server.stop();
  return ok ? 0 : 1;
}

/** A refused file is told line by line; anything else by its message. */
function describe(error: Error): string {
  if (!(error instanceof NetraError)) return `netra demo: ${error.message}`;
  const {
    errors = [],
    good,
    rejected,
  } = error.detail as {
    errors?: readonly { line: number; message: string }[];
    good?: number;
    rejected?: number;
  };
  const lines = errors.slice(0, 20).map(({ line, message }) => `  line ${line}: ${message}`);
  if (rejected !== undefined)
    lines.push(`  ${good ?? 0} good rows, ${rejected} bad rows; nothing was kept (--skip-bad keeps the good ones)`);
  return [`netra demo: ${error.message}`, ...lines].join('\n');
}
