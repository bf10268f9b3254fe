/**
 * Segment: all
 * Goal: who watches a run that says nothing for a while costs next to nothing, and still misses nothing
 * Value: thousands of open pages do not slow the runs that they show
 * Strategic impact: watching is what users do most of the time
 */
import { randomUUID } from 'node:crypto';
import { heavy, suite } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { admitRun } from '../../../server/agents/index.ts';
import type { OpenPlatform } from '../../../server/platform/index.ts';
import { openJournal, tailRun, type Tail, type TailItem } from '../../../server/runs/index.ts';
import { admitHere, openRunNodes, type RunNodes } from '../run-node.ts';

const on = suite();
let nodes: RunNodes;
/** The node that works, and the one that is watched through; no hints pass between them. */
let worker: OpenPlatform;
let watcher: OpenPlatform;
beforeAll(async () => {
  nodes = await openRunNodes(on);
  worker = await nodes.open();
  watcher = await nodes.open();
});

const watchers = heavy().length === 'full' ? 5_000 : 400;

/** How many connections the node took from its pool in the meantime: one a statement. */
async function statements(platform: OpenPlatform, time_ms: number): Promise<number> {
  let taken = 0;
  const count = (): void => void (taken += 1);
  platform.postgres.pool.on('acquire', count);
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, time_ms);
  await promise;
  platform.postgres.pool.off('acquire', count);
  return taken;
}

async function* itemsOf(tail: Tail, signal: AbortSignal): AsyncGenerator<TailItem, void> {
  for (;;) {
    const item = await tail.next(signal);
    yield item;
    if (item.kind === 'end') return;
  }
}

// Planted bug that turns it red: a tail that looks at its own run each second.
test(`${watchers} watchers of quiet runs cost a node one statement a second, and hear of what comes without a hint, once`, async () => {
  const org_id = await on.createOrg('enterprise');
  const claims = await Promise.all(Array.from({ length: 8 }, () => admitHere(nodes.ctxOf(worker, org_id))));
  const ctx = nodes.ctxOf(watcher, org_id);
  const stop = new AbortController();
  let live = 0;
  const seen = Array.from({ length: watchers }, async (_, place) => {
    const tail = await tailRun({ ctx, input: { run: claims[place % claims.length]?.run_id ?? '', after: 0 } });
    const seqs: number[] = [];
    for await (const item of itemsOf(tail, stop.signal)) {
      if (item.kind === 'live') live += 1;
      if (item.kind === 'events') seqs.push(...item.events.map(({ seq }) => seq));
    }
    return seqs;
  });
  // Each has read to the head, and looked once more behind it.
  while (live < watchers || (await statements(watcher, 200)) > 2) await statements(watcher, 100);
  const time_ms = 3_000;
  const taken = await statements(watcher, time_ms);
  console.info(`${taken} statements in ${time_ms / 1000} s for ${watchers} watchers`);
  expect(taken).toBeGreaterThanOrEqual(2);
  expect(taken).toBeLessThanOrEqual(5);

  for (const claim of claims) {
    const journal = await openJournal({ platform: worker, claim });
    await journal.append([{ type: 'agent_thinking', data: { text: 'one' } }]);
    await journal.append([{ type: 'agent_message', data: { text: 'two' } }]);
    const event = { type: 'agent_completed', data: { output: null } } as const;
    await journal.finish({ event, capture_micro: 0n, usage: [] });
  }
  for (const seqs of await Promise.all(seen)) expect(seqs).toEqual([1, 2, 3, 4]);
}, 60_000);

// Planted bug that turns it red: claim_runs() by lease_until alone, as it was.
test('a claim reads what is due, however many runs go well', async () => {
  const org_id = await on.createOrg('enterprise');
  const ctx = nodes.ctxOf(watcher, org_id);
  await admitRun({ ctx, input: { agent: 'rehearsal', input: null, idempotency_key: randomUUID() } });
  const copies = 3_000;
  // Leases of an hour, and looks that are due in an hour.
  await nodes.owner(
    `insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, last_seq, attempt,
       lease_token, lease_node, lease_until, fee_micro, idempotency_key, request_hash)
     select r.org_id, gen_random_uuid(), gen_random_uuid(), r.user_id, r.role, r.agent, r.model, r.input, 'running', 1, 1,
       gen_random_uuid(), 'elsewhere', now() + interval '1 hour', 0, 'copy-' || n, ''
     from netra.run r, generate_series(1, ${copies}) n where r.org_id = $1 and r.state = 'queued'`,
    [org_id],
  );
  const read = async (): Promise<number> =>
    watcher.postgres.inOrg(org_id, async (tx) => {
      const text = `select coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::int as rows
        from pg_stat_xact_user_tables where schemaname = 'netra' and relname = 'run'`;
      const counted = async (): Promise<number> =>
        (await tx.rows<{ rows: number }>({ text, values: [] }))[0]?.rows ?? 0;
      const before = await counted();
      await tx.rows({ text: 'select * from netra.claim_runs($1, 1, 1000)', values: ['reader'] });
      return (await counted()) - before;
    });
  expect(await read()).toBeLessThan(50);
  // Looked at once when it is due, and put off by its lease.
  await nodes.owner(`update netra.run set look_at = now() - interval '1 second' where idempotency_key = 'copy-7'`);
  await read();
  const [put_off] = await nodes.owner<{ same: boolean }>(
    `select look_at = lease_until as same from netra.run where idempotency_key = 'copy-7'`,
  );
  expect(put_off).toEqual({ same: true });
  await nodes.owner(`delete from netra.run where idempotency_key like 'copy-%'`);
}, 60_000);
