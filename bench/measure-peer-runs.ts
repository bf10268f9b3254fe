import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '@netra/testkit/processes';
import type { RunLoad } from './measure-runs.ts';
import { peerProgram } from './peers.ts';
import { quantile } from './rate.ts';

export interface PeerFigures {
  readonly runs_per_second: number;
  readonly first_event_p50_ms: number;
  readonly complete_p50_ms: number;
}

export interface Langgraph {
  readonly url: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** `@langchain/langgraph-api` with a graph of two steps, its state kept in `folder`. */
export async function startLanggraph(folder: string): Promise<Langgraph> {
  const program = await peerProgram('langgraph-server.mjs');
  const { LANGSMITH_API_KEY: _, ...env } = process.env;
  const port = await freePort();
  const child = await startChild({
    args: [program, String(port)],
    cwd: folder,
    env,
    type: 'ready',
    deadline_ms: 60_000,
  });
  return { url: String(child.ready['url']), stop: child.stop };
}

export async function peerFolder(): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'netra-peer-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** As measureRuns, over the peer's own event stream: each user has a thread, and runs one run after another in it. */
export async function measurePeerRuns({ users, seconds }: RunLoad): Promise<PeerFigures> {
  const { folder, remove } = await peerFolder();
  const peer = await startLanggraph(folder);
  try {
    const threads = await Promise.all(Array.from({ length: users }, () => peerThread(peer.url)));
    await drive(peer.url, threads, 2);
    const started = performance.now();
    const times = await drive(peer.url, threads, seconds);
    const elapsed_s = (performance.now() - started) / 1000;
    return {
      runs_per_second: times.length / elapsed_s,
      first_event_p50_ms: quantile(times, (time) => time.first_event_ms, 0.5),
      complete_p50_ms: quantile(times, (time) => time.complete_ms, 0.5),
    };
  } finally {
    await peer.stop('SIGKILL');
    await remove();
  }
}

export async function peerThread(url: string): Promise<string> {
  const { thread_id } = (await post(`${url}/threads`, {}).then((response) => response.json())) as { thread_id: string };
  return thread_id;
}

export async function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

interface Times {
  readonly first_event_ms: number;
  readonly complete_ms: number;
}

async function drive(url: string, threads: readonly string[], seconds: number): Promise<Times[]> {
  const until = performance.now() + seconds * 1000;
  const times: Times[] = [];
  const loop = async (thread: string): Promise<void> => {
    while (performance.now() < until) times.push(await runOnce(url, thread));
  };
  await Promise.all(threads.map(loop));
  return times;
}

/** Its first event is `metadata`, which names the run. */
async function runOnce(url: string, thread: string): Promise<Times> {
  const started = performance.now();
  const body = { assistant_id: 'two_steps', input: { step_ms: 0 }, stream_mode: ['updates'] };
  const response = await post(`${url}/threads/${thread}/runs/stream`, body);
  let first_event_ms = 0;
  let text = '';
  for await (const chunk of response.body ?? []) {
    if (first_event_ms === 0) first_event_ms = performance.now() - started;
    text += Buffer.from(chunk).toString();
  }
  if (!text.includes('"second"') || text.includes('event: error')) throw new Error(`a run of the peer: ${text}`);
  return { first_event_ms, complete_ms: performance.now() - started };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
