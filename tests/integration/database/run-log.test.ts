/**
 * Segment: all
 * Goal: trust what a run shows
 * Value: no step is lost, doubled or shown before it is safe, whatever breaks
 * Strategic impact: durable runs are the product; everything else reads this log
 */
import { randomUUID } from 'node:crypto';
import { eventually, suite, withOwner } from '@netra/testkit';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NewEvent, RunEvent } from '@netra/contract';
import { admitRun } from '../../../server/agents/index.ts';
import type { OpenPlatform } from '../../../server/platform/index.ts';
import {
  checkRunLog,
  finishRun,
  giveApproval,
  nodeOf,
  openJournal,
  readEvents,
  readRun,
  requestCancel,
  tailRun,
  type Claim,
  type Tail,
} from '../../../server/runs/index.ts';
import { admitHere, openRunNodes, type RunNodes } from '../run-node.ts';

const own = suite();
let nodes: RunNodes;
let node: OpenPlatform;
let org_id: string;

beforeAll(async () => {
  nodes = await openRunNodes(own, { NETRA_LEASE_MS: '60000' });
  node = await nodes.open();
});

beforeEach(async () => {
  org_id = await own.createOrg('enterprise');
});

const ctx = (platform = node, org = org_id): ReturnType<RunNodes['ctxOf']> => nodes.ctxOf(platform, org);
const say = (text: string): NewEvent => ({ type: 'agent_message', data: { text } });
const done = {
  event: { type: 'agent_completed', data: { output: 'ok' } },
  capture_micro: 1_000_000n,
  usage: [],
} as const;

/** Takes the lease away as a crash would: it runs out, and another node claims. */
async function takeOver(claim: Claim, by: OpenPlatform): Promise<Claim> {
  await nodes.owner(
    `update netra.run set lease_until = now() - interval '1 second', look_at = '-infinity' where run_id = $1`,
    [claim.run_id],
  );
  const values = [by.node_id, 100, 60_000];
  const claims = await by.postgres.call<Claim>({ text: 'select * from netra.claim_runs($1, $2, $3)', values });
  const taken = claims.find(({ run_id }) => run_id === claim.run_id);
  if (!taken) throw new Error('the expired lease was not claimable');
  return taken;
}

async function logOf(run: string): Promise<readonly RunEvent[]> {
  return (await readEvents({ ctx: ctx(), input: { run, after: 0, limit: 10_000 } })).events;
}

async function follow(tail: Tail, until: 'end' | number): Promise<RunEvent[]> {
  const got: RunEvent[] = [];
  const signal = AbortSignal.timeout(20_000);
  for (;;) {
    const item = await tail.next(signal);
    if (item.kind === 'events') got.push(...item.events);
    if (item.kind === 'end' || (typeof until === 'number' && (got.at(-1)?.seq ?? 0) >= until)) return got;
  }
}

describe('who may write', () => {
  // Planted bug: append_events without `r.lease_token = b.token`.
  test('R1: a worker whose lease was taken over cannot append, end or park the run, and credits move once', async () => {
    const claim = await admitHere(ctx());
    const stale = await openJournal({ platform: node, claim });
    await stale.append([say('before')]);
    const other = await nodes.open();
    const second = await takeOver(claim, other);
    expect(second.attempt).toBe(2);

    await expect(stale.append([say('stale')])).rejects.toMatchObject({ code: 'fenced' });
    await expect(stale.finish(done)).rejects.toMatchObject({ code: 'fenced' });
    const third = await openJournal({ platform: node, claim });
    await expect(third.park([])).rejects.toMatchObject({ code: 'fenced' });
    const fourth = await openJournal({ platform: node, claim });
    await expect(fourth.finish(done)).rejects.toMatchObject({ code: 'fenced' });

    const journal = await openJournal({ platform: other, claim: second });
    expect(journal.events.map(({ type }) => type)).toEqual(['agent_started', 'agent_message']);
    const receipt = await journal.finish(done);
    expect(receipt).toMatchObject({ spent_micro: '1000000', released_micro: '0' });
    expect((await logOf(claim.run_id)).map(({ type }) => type)).toEqual([
      'agent_started',
      'agent_message',
      'agent_completed',
    ]);
    const moved = await nodes.owner(`select kind from netra.transfer where run_id = $1 order by version`, [
      claim.run_id,
    ]);
    expect(moved).toEqual([{ kind: 'hold' }, { kind: 'settle' }]);
  });

  // Planted bug: `grant insert on netra.event to netra_app`.
  test('R1: the application’s own login can neither insert an event nor touch a lease', async () => {
    const claim = await admitHere(ctx());
    const insert = `insert into netra.event values ('${org_id}', '${claim.run_id}', 9, now(), 'agent_message', '{}')`;
    for (const text of [insert, `update netra.run set last_seq = 9`, `update netra.run set lease_token = null`]) {
      await expect(node.postgres.inOrg(org_id, (tx) => tx.rows({ text, values: [] }))).rejects.toThrow(
        'permission denied',
      );
    }
  });
});

describe('the log', () => {
  // Planted bug: append_events without `r.last_seq = b.head`.
  test('R1: the same batch sent twice is written once, and the second answer says so', async () => {
    const claim = await admitHere(ctx());
    const batch = { ...claim, head: 1, events_json: '[["agent_message",{"text":"once"}]]' };
    const { writer } = nodeOf(node);
    const first = await writer.append(batch, 1);
    expect(await writer.append(batch, 1)).toEqual(first);
    expect((await logOf(claim.run_id)).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  // Planted bug: in LogWriter, a flush that failed is retried without its head, or resolves without asking.
  test('R1: seq stays dense, nothing is lost or doubled, while connections are killed at random', async () => {
    const schedule = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 25 }), {
      minLength: 4,
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(schedule, async (lanes) => {
        const runs = await Promise.all(lanes.map(() => admitInNewOrg()));
        let over = false;
        const killer = killConnections(() => over);
        await Promise.all(
          runs.map(async ({ claim }, lane) => {
            const journal = await openJournal({ platform: node, claim });
            let n = 0;
            for (const size of lanes[lane] ?? []) {
              await journal.append(Array.from({ length: size }, () => say(String((n += 1)))));
            }
          }),
        );
        over = true;
        await killer;
        for (const [lane, { claim, org }] of runs.entries()) {
          const { events } = await eventually('a connection', () =>
            readEvents({ ctx: ctx(node, org), input: { run: claim.run_id, after: 0, limit: 1_000 } }),
          );
          const total = (lanes[lane] ?? []).reduce((sum, size) => sum + size, 0);
          expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: total + 1 }, (_, i) => i + 1));
          const texts = events.slice(1).map(({ data }) => ('text' in data ? data.text : ''));
          expect(texts).toEqual(Array.from({ length: total }, (_, i) => String(i + 1)));
        }
      }),
      { numRuns: 4 },
    );
    expect(await eventually('a connection', () => checkRunLog(node))).toEqual([]);
  });

  // Planted bug: in LogWriter.#flush, reject the whole flush instead of repeating it run by run.
  test('R1: one run whose events cannot be stored does not fail the others of its flush', async () => {
    const claims = await Promise.all([1, 2, 3].map(() => admitHere(ctx())));
    const { writer } = nodeOf(node);
    const json = (claim: Claim, bad: boolean): string =>
      `[["agent_message",{"text":"${bad ? '\\u0000' : claim.run_id}"}]]`;
    const outcomes = await Promise.allSettled(
      claims.map((claim, i) => writer.append({ ...claim, head: 1, events_json: json(claim, i === 1) }, 1)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  // Planted bug: encodeEvent without the check for unstorable text, or without giving back what it changed.
  test('text that PostgreSQL cannot hold is replaced, and readers here and elsewhere see the same', async () => {
    const claim = await admitHere(ctx());
    const journal = await openJournal({ platform: node, claim });
    await journal.append([say('a\u0000b\ud800c \\u0000 stays')]);
    const other = await nodes.open();
    const there = await readEvents({ ctx: ctx(other), input: { run: claim.run_id, after: 1, limit: 1 } });
    expect(there.events[0]?.data).toEqual({ text: 'a\ufffdb\ufffdc \\u0000 stays' });
    expect(journal.events[1]).toEqual(there.events[0]);
    await expect(journal.append([say('x'.repeat(257 * 1024))])).rejects.toMatchObject({ code: 'payload_too_large' });
    const bad = { agent: 'rehearsal', input: 'a\u0000', idempotency_key: randomUUID() };
    await expect(admitRun({ ctx: ctx(), input: bad })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  // Planted bug: finish_run without the look at ended_by_token (the repeat is then `fenced`).
  test('R1, M2: ending a run twice, as after a lost answer, gives the same receipt and charges once', async () => {
    const claim = await admitHere(ctx());
    const input = { head: 1, events: [], ...done };
    const first = await finishRun({ platform: node, claim, input });
    expect(await finishRun({ platform: node, claim, input })).toEqual(first);
    expect((await logOf(claim.run_id)).map(({ type }) => type)).toEqual(['agent_started', 'agent_completed']);
    expect(
      await nodes.owner(`select kind, payload ->> 'amount_micro' as amount from netra.outbox where event_id = $1`, [
        claim.hold_id,
      ]),
    ).toEqual([{ kind: 'charge', amount: '1000000' }]);
  });

  // Planted bug: RunJournal.#accept without advanceLog.
  test('the grammar is checked before anything is sent', async () => {
    const claim = await admitHere(ctx());
    const journal = await openJournal({ platform: node, claim });
    const call = { call_id: 'c', tool: 't', input: null };
    await journal.append([{ type: 'tool_executing', data: call }]);
    await expect(journal.append([say('kept out'), { type: 'tool_executing', data: call }])).rejects.toThrow(
      'grammar 2',
    );
    await expect(journal.finish(done)).rejects.toThrow('grammar 3');
    expect(await logOf(claim.run_id)).toHaveLength(2);
  });
});

describe('admission', () => {
  // Planted bug: admit_run without the advisory lock, or without the look for the key.
  test('the same key and request, many at once, is one run and one hold; another body is a conflict', async () => {
    const org = await own.createOrg('enterprise');
    const input = { agent: 'rehearsal', input: { steps: 1, deltas: 2 }, idempotency_key: 'once' };
    const admitted = await Promise.all(Array.from({ length: 20 }, () => admitRun({ ctx: ctx(node, org), input })));
    expect(new Set(admitted.map(({ run }) => run)).size).toBe(1);
    const again = { ...input, input: { deltas: 2, steps: 1 } };
    expect(await admitRun({ ctx: ctx(node, org), input: again })).toEqual(admitted[0]);
    await expect(admitRun({ ctx: ctx(node, org), input: { ...input, input: { steps: 3 } } })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(await nodes.owner(`select count(*)::int as n from netra.hold where org_id = $1`, [org])).toEqual([{ n: 1 }]);
  });

  // Planted bug: admit_run without the advisory lock.
  test('a plan’s last free place is given once, however many ask; a refusal leaves nothing behind', async () => {
    const org = await own.createOrg('early');
    const ask = (): Promise<unknown> =>
      admitRun({ ctx: ctx(node, org), input: { agent: 'rehearsal', input: null, idempotency_key: randomUUID() } });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, ask));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(refused?.reason).toMatchObject({
      code: 'concurrent_runs',
      detail: { limit: 'concurrent_runs', used: '2', max: '2', plan_that_lifts_it: 'mid' },
    });
    const left = await nodes.owner(
      `select (select count(*)::int from netra.run where org_id = $1) as runs,
        (select count(*)::int from netra.hold where org_id = $1) as holds,
        (select count(*)::int from netra.thread where org_id = $1) as threads,
        (select count(*)::int from netra.event where org_id = $1) as events`,
      [org],
    );
    expect(left).toEqual([{ runs: 2, holds: 2, threads: 2, events: 2 }]);
  });
});

describe('isolation', () => {
  // Planted bug: RunTail started from the feed without comparing org_id; a policy `using (true)` for netra_app.
  test('T1: another organisation’s run does not exist, whichever verb asks, also while it runs on this node', async () => {
    const claim = await admitHere(ctx());
    await openJournal({ platform: node, claim });
    const stranger = ctx(node, await own.createOrg('enterprise'));
    const run = claim.run_id;
    const asked = [
      readRun({ ctx: stranger, input: { run } }),
      readEvents({ ctx: stranger, input: { run, after: 0, limit: 10 } }),
      tailRun({ ctx: stranger, input: { run, after: 0 } }),
      requestCancel({ ctx: stranger, input: { run } }),
      giveApproval({ ctx: stranger, input: { run, call: 'c', approved: true } }),
    ];
    for (const answer of await Promise.allSettled(asked)) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'not_found' } });
    }
    const input = { thread: claim.thread_id, agent: 'rehearsal', input: null, idempotency_key: randomUUID() };
    await expect(admitRun({ ctx: stranger, input })).rejects.toMatchObject({ code: 'not_found' });
    expect(await readRun({ ctx: ctx(), input: { run } })).toMatchObject({
      state: 'running',
      cancel_requested_at: null,
    });
  });
});

describe('tails', () => {
  // Planted bugs: `>=` for `>` at the cursor; listening after looking; serving memory that was shortened.
  test('R3: from every cursor, on the writing node and on another, each event comes once and in order', async () => {
    const claim = await admitHere(ctx());
    const journal = await openJournal({ platform: node, claim });
    const far = await nodes.open();
    const total = 31;
    const writing = (async () => {
      for (let i = 2; i < total; i += 1) await journal.append([say(String(i))]);
      await journal.finish(done);
    })();
    const tails = await Promise.all(
      Array.from({ length: total + 1 }, async (_, after) => {
        const platform = after % 3 === 0 ? far : node;
        const start = await eventually('the cursor to exist', async () => {
          const tail = await tailRun({ ctx: ctx(platform), input: { run: claim.run_id, after } });
          return tail.head >= after ? tail : null;
        });
        return { after, got: await follow(start, 'end') };
      }),
    );
    await writing;
    const whole = await logOf(claim.run_id);
    expect(whole).toHaveLength(total);
    for (const { after, got } of tails) expect(got).toEqual(whole.slice(after));
  });

  // Planted bug: RunJournal.#send that publishes before the append has returned.
  test('R1: nobody sees an event before it is committed', async () => {
    const claim = await admitHere(ctx());
    const journal = await openJournal({ platform: node, claim });
    const tail = await tailRun({ ctx: ctx(), input: { run: claim.run_id, after: 1 } });
    const signal = AbortSignal.timeout(20_000);
    expect(await tail.next(signal)).toEqual({ kind: 'live', seq: 1 });
    let seen = false;
    const next = tail.next(signal).then((item) => {
      seen = true;
      return item;
    });
    await withOwner(own.stores.postgres_url, async (client) => {
      await client.query('begin');
      await client.query('select from netra.run where run_id = $1 for update', [claim.run_id]);
      void journal.append([say('not yet')]);
      await eventually('the append to wait for the row', async () => {
        const waiting = await client.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.rowCount === 1;
      });
      expect(seen).toBe(false);
      await client.query('commit');
    });
    expect(await next).toMatchObject({ kind: 'events', events: [{ seq: 2 }] });
  });

  // Planted bug: Feed.publish without shorten().
  test('a reader that does not read costs no memory, and later gets everything', async () => {
    const claim = await admitHere(ctx());
    const journal = await openJournal({ platform: node, claim });
    const slow = await tailRun({ ctx: ctx(), input: { run: claim.run_id, after: 0 } });
    const text = 'x'.repeat(1024);
    for (let i = 0; i < 60; i += 1) await journal.append(Array.from({ length: 50 }, () => say(text)));
    const kept = nodeOf(node).feed.get(claim.run_id);
    expect(kept?.head).toBe(3_001);
    expect(kept?.events.length).toBeLessThan(600);
    const got = await follow(slow, 3_001);
    expect(got.map(({ seq }) => seq)).toEqual(Array.from({ length: 3_001 }, (_, i) => i + 1));
  });

  // Planted bug: voidCursor that ignores the epoch, or a tail that goes on from the void cursor.
  test.each([
    ['behind the end', { after: 99 }],
    ['of another epoch', { after: 1, epoch: 7 }],
  ])('a cursor %s is answered by reset, and the log from its start', async (_, cursor) => {
    const claim = await admitHere(ctx());
    const tail = await tailRun({ ctx: ctx(), input: { run: claim.run_id, ...cursor } });
    const signal = AbortSignal.timeout(10_000);
    expect(await tail.next(signal)).toMatchObject({ kind: 'reset', epoch: 1, first: 1 });
    expect(await tail.next(signal)).toMatchObject({ kind: 'events', events: [{ seq: 1 }] });
    expect(await tail.next(signal)).toEqual({ kind: 'live', seq: 1 });
  });

  // Planted bug: RunTail.close without waking the waiting reader.
  test('a waiting reader ends with its signal, and with close', async () => {
    const claim = await admitHere(ctx());
    const tail = await tailRun({ ctx: ctx(), input: { run: claim.run_id, after: 1 } });
    expect(await tail.next(AbortSignal.timeout(10_000))).toEqual({ kind: 'live', seq: 1 });
    const abort = new AbortController();
    const waiting = tail.next(abort.signal);
    abort.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    const again = tail.next(new AbortController().signal);
    tail.close();
    await expect(again).rejects.toThrow('closed');
    expect(nodeOf(node).feed.size.watched).toBe(0);
  });
});

async function admitInNewOrg(): Promise<{ claim: Claim; org: string }> {
  const org = await own.createOrg('enterprise');
  return { org, claim: await admitHere(nodes.ctxOf(node, org)) };
}

/** Ends the application's connections again and again, as a failing network or a restarted proxy would. */
async function killConnections(over: () => boolean): Promise<void> {
  for (let round = 0; round < 6 && !over(); round += 1) {
    await nodes.owner(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'netra app'`,
    );
  }
}
