import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { repositoryRoot } from './repository.ts';

/** The server's entry. The CLI never imports the server: it runs it, as an operator would. */
const serverEntry = join(repositoryRoot, 'server', 'main.ts');

/**
 * Becomes the server's command: same process, same streams, so that a signal to `./netra start`, SIGKILL too, is a signal
 * to the server, and nothing of it is left behind. Does not return.
 */
export function becomeServerCommand(args: readonly string[]): never {
  const { execve } = process;
  if (execve === undefined) throw new Error('this Node cannot replace its process: use the one that ./netra installs');
  return execve(process.execPath, [process.execPath, serverEntry, ...args], process.env);
}

/** Runs a program of ours with this terminal's streams; resolves to its exit code. Signals reach it through us. */
export async function runProgram(entry: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });
}

export interface RunningServer {
  readonly url: string;
  readonly ws: string;
  /** SIGTERM, once however often it is asked; then the server's exit code. */
  stop(): Promise<number>;
  /** Serves until SIGINT or SIGTERM, stops, and ends this process with `code`. */
  serveUntilTold(code: number): Promise<never>;
}

/** Starts a server and resolves when it has printed its ready line; rejects with its last words if it ends first. */
export async function startServer(args: readonly string[], env: NodeJS.ProcessEnv): Promise<RunningServer> {
  const child = spawn(process.execPath, [serverEntry, 'start', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
    // A process group of its own: Ctrl-C reaches us alone, and the server gets one signal, not two (two mean "at once").
    detached: true,
  });
  const lastWords: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastWords.push(line);
    if (lastWords.length > 40) lastWords.shift();
  });
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  let stopping: Promise<number> | undefined;
  const stop = (): Promise<number> => {
    if (stopping === undefined) child.kill('SIGTERM');
    stopping ??= exited;
    return stopping;
  };
  let told = 130;
  const leave = (): void => void stop().then(() => process.exit(told));
  process.once('SIGINT', leave).once('SIGTERM', leave);
  const ready = await new Promise<{ url: string; ws: string }>((resolve, reject) => {
    child.once('error', reject);
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    void exited.then((code) =>
      reject(new Error(`the server ended (${code}) before it was ready:\n${lastWords.join('\n')}`)),
    );
  });
  return {
    ...ready,
    stop,
    serveUntilTold: (code) => {
      told = code;
      return new Promise<never>(() => undefined);
    },
  };
}

/** A server command's stdout as a stream; the stream fails if the command does. */
export function streamServerCommand(args: readonly string[]): Readable {
  const child = spawn(process.execPath, [serverEntry, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.once('exit', (code) => {
    if (code !== 0) child.stdout.destroy(new Error(`netra ${args[0] ?? ''} ended with ${code ?? 'a signal'}`));
  });
  return child.stdout;
}

/** Runs a server command to its end; its exit code and all that it printed. */
export async function captureServerCommand(args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [serverEntry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
