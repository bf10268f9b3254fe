import { randomBytes, randomUUID } from 'node:crypto';
import { createClient, type Client } from '@netra/client';
import { isTerminal, NetraError, type EventFrame, type UsageImport } from '@netra/contract';
import { captureServerCommand, startServer, type RunningServer } from '../server-process.ts';
import { reportOf, type Summary } from './report.ts';
import type { UsageSource } from './usage-source.ts';

/** What the demo tells as it goes: a terminal view or NDJSON. */
export interface DemoView {
  /** One step of the way, before it is taken. */
  step(text: string): void;
  imported(result: UsageImport, seconds: number): void;
  /** A frame of the socket, exactly as it came. */
  frame(text: string): void;
  event(event: EventFrame): void;
  finished(summary: Summary, completed: Extract<EventFrame, { type: 'agent_completed' }>): void;
  books(balanced: boolean, detail: string): void;
}

export interface DemoOptions {
  readonly data: string;
  readonly port: string;
  readonly source: UsageSource;
  readonly view: DemoView;
}

export interface DemoOutcome {
  readonly server: RunningServer;
  /** The run completed and the books balance. */
  readonly ok: boolean;
}

/** The main job, as any client would do it: through the public API and an authenticated WebSocket. */
export async function runDemo({ data, port, source, view }: DemoOptions): Promise<DemoOutcome> {
  view.step('starting the server, PostgreSQL and the ClickHouse engine');
  const server = await startServer(['--port', port, '--data', data], {
    ...process.env,
    // The optimization agent is not in the free plan, and a demo has nobody to bill.
    NETRA_SIGNUP_PLAN: 'mid',
  });
  try {
    return { server, ok: await useServer(server, { data, source, view }) };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function useServer(server: RunningServer, options: Omit<DemoOptions, 'port'>): Promise<boolean> {
  const { data, source, view } = options;
  const client = createClient({ url: server.url, onFrame: (frame) => view.frame(frame) });
  try {
    view.step('signing up an organisation and its owner');
    const name = `demo-${randomUUID().slice(0, 8)}`;
    const password = randomBytes(18).toString('base64url');
    const { org } = await client.signUp({ email: `${name}@demo.invalid`, password, org: `Demo ${name.slice(5)}` });
    view.step(`importing ${source.label}`);
    await importFrom(client, source, view);
    view.step('asking the optimization agent what can be saved');
    const completed = await followRun(client, org, view);
    const balanced = await booksBalance(client, data, view);
    return completed && balanced;
  } finally {
    client.close();
  }
}

async function importFrom(client: Client, source: UsageSource, view: DemoView): Promise<void> {
  const started = performance.now();
  const { format, map, model, user, skip_bad, synthetic } = source;
  const result = await client.importUsage({
    content: source.open(),
    format,
    skip_bad: skip_bad ? 'true' : 'false',
    synthetic: synthetic ? 'true' : 'false',
    ...(map === undefined ? {} : { map }),
    ...(model === undefined ? {} : { model }),
    ...(user === undefined ? {} : { user }),
  });
  view.imported(result, (performance.now() - started) / 1000);
}

async function followRun(client: Client, org: string, view: DemoView): Promise<boolean> {
  const handle = await client.run({ agent: 'optimization', input: { question: 'What can we save?' } });
  let events = 0;
  let last: EventFrame | undefined;
  for await (const event of handle) {
    events += 1;
    last = event;
    view.event(event);
  }
  if (last === undefined || !isTerminal(last.type)) throw new NetraError('internal', 'the run did not end');
  if (last.type !== 'agent_completed') return false;
  const { usage, recommendations } = reportOf(last.data.output);
  const { credits } = last.data;
  view.finished({ type: 'summary', org, run: handle.run, events, credits, usage, recommendations }, last);
  return true;
}

/** Asks the doctor, and holds the receipt against the balance that the API tells. */
async function booksBalance(client: Client, data: string, view: DemoView): Promise<boolean> {
  const [{ held_micro }, doctor] = await Promise.all([
    client.credits(),
    captureServerCommand(['doctor', '--data', data]),
  ]);
  const balanced = doctor.code === 0 && held_micro === '0';
  view.books(balanced, balanced ? '' : doctor.output.trim());
  return balanced;
}
