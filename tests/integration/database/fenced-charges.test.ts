/**
 * Segment: everyone who pays for a run
 * Goal: a worker that has lost its run charges nothing more, whatever it still believes
 * Value: what a run has cost is what its log says
 * Strategic impact: nodes may sleep, hang and come back without anybody looking at bills
 */
import { suite } from '@netra/testkit';
import { beforeAll, expect, test } from 'vitest';
import { checkBooks } from '../../../server/ledger/index.ts';
import type { OpenPlatform } from '../../../server/platform/index.ts';
import type { Claim } from '../../../server/runs/index.ts';
import { admitHere, openRunNodes, type RunNodes } from '../run-node.ts';

const own = suite();
const credit = 1_000_000n;
let nodes: RunNodes;
let node: OpenPlatform;
let org_id: string;
beforeAll(async () => {
  nodes = await openRunNodes(own);
  node = await nodes.open();
  org_id = await own.createOrg('enterprise');
});

/** Nobody has renewed its lease in time. */
const expire = ({ run_id }: Claim): Promise<unknown> =>
  nodes.owner(
    `update netra.run set lease_until = now() - interval '1 second', look_at = '-infinity' where run_id = $1`,
    [run_id],
  );

/** A run that was claimed here, and then by another node, since this one was not heard of. */
async function lose(): Promise<Claim> {
  const lost = await admitHere(nodes.ctxOf(node, org_id));
  await expire(lost);
  await node.postgres.call({ text: 'select * from netra.claim_runs($1, $2, $3)', values: ['other', 1, 60_000] });
  return lost;
}

const moves = {
  grow: ({ org_id: org, run_id, lease_token, hold_id }: Claim) => ({
    text: `select * from netra.grow_run($1, $2, $3, $4, $5, $6, null, 'enforce')`,
    values: [org, run_id, lease_token, hold_id, credit, credit],
  }),
  charge: ({ org_id: org, run_id, lease_token, hold_id }: Claim) => ({
    text: `select * from netra.charge_run($1, $2, $3, $4, $5, 'model m', $6, 'm', 'plan')`,
    values: [org, run_id, lease_token, hold_id, credit, `${run_id}/model/0`],
  }),
} as const;

const transfersOf = (run_id: string): Promise<{ kind: string }[]> =>
  nodes.owner<{ kind: string }>('select kind from netra.transfer where run_id = $1 order by version', [run_id]);

// Planted bug that turns both red: a netra.keep_lease() that does not refuse.
test.each(['grow', 'charge'] as const)(
  'R1 M2: %s under a lease that is lost is refused, and moves nothing',
  async (kind) => {
    const lost = await lose();
    const before = await transfersOf(lost.run_id);
    await expect(node.postgres.call(moves[kind](lost))).rejects.toMatchObject({ code: 'fenced' });
    expect(await transfersOf(lost.run_id)).toEqual(before);
    expect(await checkBooks({ platform: node })).toEqual([]);
  },
);

// Planted bug: keep_lease without the lock (the run is taken over in the middle of the charge).
test('R1: while a charge is under way nobody takes the run over', async () => {
  const claim = await admitHere(nodes.ctxOf(node, org_id));
  const { text, values } = moves.charge(claim);
  await expire(claim);
  await node.postgres.inOrg(org_id, async (tx) => {
    await tx.rows({ text, values });
    const taken = await node.postgres.call<{ run_id: string }>({
      text: 'select run_id from netra.claim_runs($1, $2, $3)',
      values: ['other', 100, 60_000],
    });
    expect(taken.map(({ run_id }) => run_id)).not.toContain(claim.run_id);
  });
});
