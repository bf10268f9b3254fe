/**
 * Segment: every customer whose team and agents spend at the same moment.
 * Goal: whatever meets whatever, each movement happens once or is refused for a reason that the customer understands.
 * Value: no balance depends on who was faster, and no busy hour ends in an error that only means "try again".
 * Strategic impact: one wallet for many agents is what is sold; it must be exact under load, not on average.
 *
 * Callers on connections of their own ask for movements drawn from a seed, many of them more than once; when all are
 * answered, the books are checked, and they begin again.
 * Planted bugs that turn this red: a lost race of one key that is an error nobody retries; a platform that does not retry
 * a serialization failure. Neither a debt read before the lock does, nor a lost race that is refused as a `conflict`.
 */
import { heavy, suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { checkBooks } from '../../../server/ledger/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { Crowd, drawRequests, type Asked } from './ledger-crowd.ts';
import { makeLines } from './ledger-play.ts';

const { seed, random } = heavy();
const callers = 32;
const barriers = 6;
const requestsOfRound = 200;

/** What a caller may be told instead of yes: all of it is for the caller to understand, none of it to be tried again. */
const allowed = new Set(['insufficient_credits', 'conflict', 'not_found', 'idempotency_key_reused']);

const home = suite();
let node: LedgerNode;
let crowd: Crowd;
beforeAll(async () => {
  node = await openLedger({ ...home, env: { ...home.env, NETRA_POSTGRES_POOL: `${callers}` } });
  await makeLines(node);
  crowd = await Crowd.gather(node, [undefined, 500n, null]);
}, 60_000);

it(`M1 M2 M3: ${callers} callers at once move, charge and refund in rings and under one key; only business refusals, seed ${seed}`, async () => {
  const told = new Map<string, number>();
  for (let barrier = 1; barrier <= barriers; barrier += 1) {
    const requests = drawRequests(random, { round: barrier, count: requestsOfRound, orgs: crowd.ctxs.length });
    const asked = await crowd.ask(requests, callers);
    for (const { request, outcome } of asked) {
      const said = typeof outcome === 'string' ? outcome : `${request.verb} done`;
      told.set(said, (told.get(said) ?? 0) + 1);
    }
    expect(asked.filter(({ outcome }) => typeof outcome === 'string' && !allowed.has(outcome))).toEqual([]);
    await expectOneEffectEach(asked);
    await expectConserved();
    expect(await checkBooks({ platform: node.platform }), `barrier ${barrier}`).toEqual([]);
    expect(await node.owner('select * from netra.check_chain()'), `barrier ${barrier}`).toEqual([]);
  }
  console.log([...told].map(([said, times]) => `${said} ${times}`).join(', '));
  // A schedule in which nothing of a kind ever happened would have proved nothing about it.
  const verbs = ['grant', 'place', 'extend', 'capture', 'settle', 'refund', 'move', 'book'];
  expect([...told.keys()]).toEqual(expect.arrayContaining([...verbs.map((verb) => `${verb} done`), ...allowed]));
}, 300_000);

/** All who asked under one key and were not refused got the same answer, and the ledger has that movement once. */
async function expectOneEffectEach(asked: readonly Asked[]): Promise<void> {
  const text = `select kind || ' ' || key as movement from netra.transfer where org_id = $1`;
  for (const [place, { principal }] of crowd.ctxs.entries()) {
    const kept = (await node.owner<{ movement: string }>(text, [principal.org_id])).map(({ movement }) => movement);
    const found = new Map<string, number>();
    for (const movement of kept) found.set(movement, (found.get(movement) ?? 0) + 1);
    const done = asked.filter(({ request, outcome }) => request.org === place && typeof outcome === 'object');
    for (const [movement, answers] of Map.groupBy(done, ({ request }) => request.movement)) {
      if (movement === null) continue;
      const differing = new Set(
        answers.map(({ request, outcome }) => JSON.stringify([request.amount, outcome], asText)),
      );
      expect(differing.size, `${movement}: ${[...differing].join(' and ')}`).toBe(1);
      expect(found.get(movement), movement).toBe(1);
    }
  }
}

const asText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value);

/** Said once more without the ledger's own check: nothing appears or goes but by a grant, a charge or an expiry. */
async function expectConserved(): Promise<void> {
  const text = `select w.org_id,
      sum(w.available_micro + w.held_micro - w.debt_micro)::text as there,
      (select sum(-t.issued_micro - t.spent_micro - t.expired_micro) from netra.transfer t
        where t.org_id = w.org_id)::text as due,
      count(*) filter (where w.available_micro < 0 or w.held_micro < 0) as below
    from netra.wallet w group by w.org_id`;
  const rows = await node.owner<{ there: string; due: string; below: string }>(text);
  expect(rows).toHaveLength(crowd.ctxs.length);
  for (const { there, due, below } of rows) expect({ there, below }).toEqual({ there: due, below: '0' });
}
