import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '@netra/testkit/processes';
import { Client } from 'pg';
import { peerFolder, peerThread, post, startLanggraph } from './measure-peer-runs.ts';
import { SocketUser } from './socket-user.ts';
import type { BenchHouse } from './start-house.ts';

/** Of the runs that were under way when their server was killed, those that have not ended some time later. */
export interface KilledFigures {
  readonly runs: number;
  readonly ours: number;
  readonly peer: number;
}

const runs = 20;
const step_ms = 1_500;
/** From the kill to the kill: each run is in its first step. */
const into_ms = 700;
/** Long enough for a lease to run out and for both steps to be done twice. */
const after_ms = 20_000;

/** `kill -9` of a server with runs under way; another serves the same stores afterwards. Ours, and the peer's. */
export async function measureKilled(house: BenchHouse): Promise<KilledFigures> {
  return { runs, ours: await unfinishedOfOurs(house), peer: await unfinishedOfPeer() };
}

async function unfinishedOfOurs(house: BenchHouse): Promise<number> {
  const tokens = await Promise.all(Array.from({ length: 2 }, () => house.signUp()));
  const doomed = await startServer({ env: house.env });
  const users = await Promise.all(tokens.map(({ token }) => SocketUser.connect(doomed.ws, token)));
  // The socket is cut with its server; nobody waits for these here.
  const asked = users.flatMap((user) => Array.from({ length: runs / 2 }, () => user.start({ steps: 2, step_ms })));
  const ids = await Promise.all(asked);
  await sleep(into_ms);
  await doomed.kill();
  await sleep(after_ms);
  const client = new Client({ connectionString: house.postgres_url });
  await client.connect();
  try {
    const text = `select count(*)::int as count from netra.run
                   where run_id = any ($1) and state not in ('completed', 'failed', 'cancelled')`;
    const { rows } = await client.query<{ count: number }>(text, [ids]);
    return rows[0]?.count ?? runs;
  } finally {
    await client.end();
    for (const user of users) user.close();
  }
}

async function unfinishedOfPeer(): Promise<number> {
  const { folder, remove } = await peerFolder();
  try {
    const doomed = await startLanggraph(folder);
    const threads = await Promise.all(Array.from({ length: runs }, () => peerThread(doomed.url)));
    const body = { assistant_id: 'two_steps', input: { step_ms } };
    const started = await Promise.all(
      threads.map(async (thread) => (await post(`${doomed.url}/threads/${thread}/runs`, body)).json()),
    );
    await sleep(into_ms);
    await doomed.stop('SIGKILL');
    const restarted = await startLanggraph(folder);
    try {
      await sleep(after_ms);
      const ended = await Promise.all(
        started.map((run) => hasEnded(restarted.url, run as { readonly thread_id: string; readonly run_id: string })),
      );
      return ended.filter((done) => !done).length;
    } finally {
      await restarted.stop('SIGKILL');
    }
  } finally {
    await remove();
  }
}

/** A run that the peer no longer knows has not ended: it is lost. */
async function hasEnded(url: string, run: { readonly thread_id: string; readonly run_id: string }): Promise<boolean> {
  const response = await fetch(`${url}/threads/${run.thread_id}/runs/${run.run_id}`);
  if (!response.ok) return false;
  const { status } = (await response.json()) as { readonly status: string };
  return ['success', 'error', 'timeout', 'interrupted'].includes(status);
}
