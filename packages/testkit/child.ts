import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A process of ours that says in one JSON line on stdout that it serves. */
export interface ReadyChild {
  readonly child: ChildProcess;
  /** The line it said. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** All it wrote to stderr so far; the end of it, if that was much. */
  stderr(): string;
  /** Ends it: closes its stdin and sends `signal`; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const keptBytes = 256 * 1024;

/** Starts `node` with `args` and waits for the JSON line of that `type`. Fails with its stderr if it exits before. */
export async function startChild(options: {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly type: string;
  readonly deadline_ms: number;
}): Promise<ReadyChild> {
  const { args, cwd, env } = options;
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  // Its end may come before ours: an EPIPE on a dead child's stdin says nothing new.
  child.stdin.on('error', () => {});
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-keptBytes);
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await gone;
  };
  try {
    const ready = await readyLine(child, options.type, options.deadline_ms);
    return { child, ready, stderr: () => stderr, stop };
  } catch (error) {
    await stop('SIGKILL');
    throw new Error(`${options.args.join(' ')}: ${String(error)}\n${stderr}`, { cause: error });
  }
}

function readyLine(child: ChildProcess, type: string, deadline_ms: number): Promise<Readonly<Record<string, unknown>>> {
  const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  const timer = setTimeout(() => reject(new Error(`no '${type}' line within ${deadline_ms} ms`)), deadline_ms);
  if (child.stdout === null) throw new Error('stdout is not piped');
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const said = parseObject(line);
    if (said?.['type'] === type) resolve(said);
  });
  child.once('error', reject);
  child.once('exit', (code, signal) => reject(new Error(`exited with ${signal ?? code} before it was ready`)));
  return promise.finally(() => clearTimeout(timer));
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // A JSON object has string keys; its values stay unknown until a caller reads them.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a string out of what a child said. */
export function textOf(said: Readonly<Record<string, unknown>>, key: string): string {
  const value = said[key];
  if (typeof value !== 'string') throw new Error(`the child's line has no text '${key}': ${JSON.stringify(said)}`);
  return value;
}
