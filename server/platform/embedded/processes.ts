import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** A process told apart from a later one with the same number by when it started. */
export interface ProcessRef {
  readonly pid: number;
  readonly started: string;
}

/** When `pid` started, in whatever unit the system counts; null if there is none. */
function processStart(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name stands in parentheses and may hold spaces: fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended, it only has not been buried yet.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

export function processRef(pid: number): ProcessRef | null {
  const started = processStart(pid);
  return started === null ? null : { pid, started };
}

export function isAlive(ref: ProcessRef | null | undefined): ref is ProcessRef {
  return ref !== null && ref !== undefined && processStart(ref.pid) === ref.started;
}

/** Asks `ready` every 20 ms until it says so or the time is up; says which. */
export async function until(timeout_ms: number, ready: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + timeout_ms;
  for (;;) {
    if (await ready()) return true;
    if (performance.now() >= deadline) return false;
    await pause(20);
  }
}

/** Sends `signal` and waits for the end; after `timeout_ms` it sends `last`. The process is checked to be the same one. */
export async function endProcess(
  ref: ProcessRef,
  { signal, last, timeout_ms }: { signal: NodeJS.Signals; last: NodeJS.Signals; timeout_ms: number },
): Promise<void> {
  if (!send(ref, signal)) return;
  if (await until(timeout_ms, () => !isAlive(ref))) return;
  send(ref, last);
  await until(5_000, () => !isAlive(ref));
}

function send(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isAlive(ref)) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch {
    return false;
  }
}
