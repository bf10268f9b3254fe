import { readFile } from 'node:fs/promises';

/** The most bytes that a process ever had in memory, as the kernel saw it. Linux only. */
export async function peakMemory_bytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no VmHWM in its status`);
  return Number(kib) * 1024;
}
