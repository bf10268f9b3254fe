import { NetraError } from '@netra/contract';

/** Runs a tool's work for at most its time. Throws `tool_failed` that says so; what goes on regardless is left alone. */
export async function limitTime<T>(
  { name, timeout_ms, signal }: { readonly name: string; readonly timeout_ms: number; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new NetraError('tool_failed', `the tool ${name} took longer than ${timeout_ms} ms`));
  }, timeout_ms);
  const limited = AbortSignal.any([signal, deadline.signal]);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(limited.reason as Error);
  if (limited.aborted) stop();
  limited.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work(limited), stopped]);
  } catch (error) {
    // Whatever the work made of the abort, this is why.
    throw deadline.signal.aborted && !signal.aborted ? (deadline.signal.reason as Error) : error;
  } finally {
    clearTimeout(timer);
    limited.removeEventListener('abort', stop);
  }
}
