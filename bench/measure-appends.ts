import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { admitRun } from '../server/agents/index.ts';
import type { Ctx, Platform } from '../server/platform/index.ts';
import { nodeOf, openJournal, type Claim, type Journal } from '../server/runs/index.ts';
import { makeOrg } from './make-org.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';

const event = { type: 'agent_message', data: { text: 'x'.repeat(64) } } as const;
/** As a worker appends them: some at a time, never one. */
const events = [event, event, event];

/** Events a second appended durably by many runs of one node, beside a bare loop of multi-row inserts. */
export async function measureAppends(
  postgres_url: string,
  { runs, appends, rounds }: { readonly runs: number; readonly appends: number; readonly rounds: number },
): Promise<Pair> {
  const platform = await openBenchPlatform(postgres_url, 8);
  const owner = new Client(postgres_url);
  await owner.connect();
  try {
    const journals = await openRuns(platform, runs);
    await owner.query(
      'drop table if exists netra.floor_event; create table netra.floor_event (like netra.event including all)',
    );
    return await inTurn(
      rounds,
      () => appendAll(journals, appends),
      // As many rows a statement as all runs together give one flush.
      () => insertBare(owner, runs * events.length, appends),
    );
  } finally {
    await owner.query('drop table if exists netra.floor_event');
    await Promise.all([owner.end(), platform.close()]);
  }
}

async function openRuns(platform: Platform, runs: number): Promise<Journal[]> {
  const seated = new Map<string, Claim>();
  nodeOf(platform).worker = {
    reserve: () => ({ take: (claim) => void seated.set(claim.run_id, claim), leave: () => undefined }),
    cancelRequested: () => undefined,
    queued: () => undefined,
  };
  return Promise.all(
    Array.from({ length: runs }, async () => {
      const ctx: Ctx = await makeOrg(platform);
      const { run } = await admitRun({ ctx, input: { agent: 'rehearsal', input: {}, idempotency_key: randomUUID() } });
      const claim = seated.get(run);
      if (!claim) throw new Error('the run was not seated');
      return openJournal({ platform, claim });
    }),
  );
}

async function appendAll(journals: readonly Journal[], appends: number): Promise<number> {
  const per_second = await rate(journals.length * appends, journals.length, async (_, lane) => {
    await journals[lane]?.append(events);
  });
  return per_second * events.length;
}

async function insertBare(owner: Client, rows: number, statements: number): Promise<number> {
  const text = `insert into netra.floor_event (org_id, run_id, seq, at, type, data)
    select $1, $2, i, now(), 'agent_message', d::jsonb from unnest($3::text[]) with ordinality as t(d, i)`;
  const data = Array.from({ length: rows }, () => JSON.stringify(event.data));
  const per_second = await rate(statements, 1, () => {
    return owner.query({ name: 'floor', text, values: [randomUUID(), randomUUID(), data] });
  });
  return per_second * rows;
}
