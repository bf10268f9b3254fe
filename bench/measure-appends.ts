import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { admitRun } from '../server/agents/index.ts';
import type { Ctx, Platform } from '../server/platform/index.ts';
import { nodeOf, openJournal, type Claim, type Journal } from '../server/runs/index.ts';
import { makeOrg } from './make-org.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';

const event = { type: 'agent_message', data: { text: 'x'.repeat(64) } } as const;

interface AppendLoad {
  readonly runs: number;
  /** In one append of one run: what a step or a burst of text brings. */
  readonly events_each: number;
  readonly appends: number;
  readonly rounds: number;
}

/** Events a second appended durably by many runs of one node, beside a bare loop of multi-row inserts. */
export async function measureAppends(
  postgres_url: string,
  { runs, events_each, appends, rounds }: AppendLoad,
): Promise<Pair> {
  const events = Array.from({ length: events_each }, () => event);
  const platform = await openBenchPlatform(postgres_url, 8);
  const owner = new Client(postgres_url);
  await owner.connect();
  try {
    const journals = await openRuns(platform, runs);
    const keys = Array.from({ length: runs }, () => platform.ids.uuid());
    await owner.query(
      'drop table if exists netra.floor_event; create table netra.floor_event (like netra.event including all)',
    );
    return await inTurn(
      rounds,
      () => appendAll(journals, events, appends),
      () => insertBare(owner, keys, events, appends),
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
    followed: () => undefined,
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

type Events = readonly (typeof event)[];

async function appendAll(journals: readonly Journal[], events: Events, appends: number): Promise<number> {
  const per_second = await rate(journals.length * appends, journals.length, async (_, lane) => {
    await journals[lane]?.append(events);
  });
  return per_second * events.length;
}

/** The same rows under the same keys: as many runs, each with its next events. */
async function insertBare(owner: Client, runs: readonly string[], events: Events, statements: number): Promise<number> {
  const text = `insert into netra.floor_event (org_id, run_id, seq, at, type, data)
    select r, r, $2::int + i, now(), 'agent_message', d::jsonb
      from unnest($1::uuid[]) r cross join unnest($3::text[]) with ordinality as t(d, i)`;
  const data = events.map((one) => JSON.stringify(one.data));
  await owner.query('truncate netra.floor_event');
  const per_second = await rate(statements, 1, (index) => {
    return owner.query({ name: 'floor', text, values: [runs, index * events.length, data] });
  });
  return per_second * runs.length * events.length;
}
