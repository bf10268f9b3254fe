import { NetraError, type Message } from '@netra/contract';
import type { Page } from './page.ts';
import type { Rest } from './rest.ts';

export interface MessagesQuery {
  readonly limit?: number;
  readonly cursor?: string;
  /** Oldest first unless `desc`. */
  readonly order?: 'asc' | 'desc';
}

/** A line of a thread's export; `type` says which: thread, message, run, event, end. Others may be added. */
export type ExportLine = Readonly<Record<string, unknown>> & { readonly type: string };

/** What was said in a thread, from either end; `next` of an answer is the `cursor` of the following page. */
export function messages(rest: Rest, thread: string, query: MessagesQuery = {}): Promise<Page<Message>> {
  return rest.send<Page<Message>>({ path: `/v1/threads/${thread}/messages`, query: { ...query } });
}

/**
 * All of a thread, a line at a time: itself, its messages, and behind each question its run and the run's events. Throws
 * `unavailable` if the text ends before its last line, of type `end`, has come: what was read is then not the whole.
 */
export async function* exportThread(
  rest: Rest,
  thread: string,
  signal?: AbortSignal,
): AsyncGenerator<ExportLine, void> {
  let last = '';
  const path = `/v1/threads/${thread}/export`;
  for await (const line of rest.lines<ExportLine>({ path, ...(signal ? { signal } : {}) })) {
    last = line.type;
    yield line;
  }
  if (last !== 'end') throw new NetraError('unavailable', 'The export was broken off before its end.');
}
