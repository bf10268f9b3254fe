import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds of CPU that a process has used, in the kernel's clock ticks of 10 ms. */
export function cpuMs(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Of a process and its children, those included that have ended. */
export function cpuOfFamilyMs(pid: number): number {
  const fields = statFields(pid);
  const ended_ms = (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * 10;
  const children = readdirSync('/proc')
    .map(Number)
    .filter((other) => other > 0 && parentOf(other) === pid);
  return children.reduce((sum, child) => sum + cpuMs(child), cpuMs(pid) + ended_ms);
}

export function parentOf(pid: number): number {
  return Number(statFields(pid)[1] ?? 0);
}

/** Resident memory of a process (proc(5); ps where there is no /proc). */
export function residentKilobytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
  }
}

/** What follows the name, which may hold anything: state, parent, … (proc(5)). A process that has ended has none. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
