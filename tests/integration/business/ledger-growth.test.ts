/**
 * Segment: customers who stay for years.
 * Goal: a movement costs what it costs on the first day, however much lies behind it.
 * Value: an agent that starts in a blink still does so when the organisation has had a thousand grants.
 * Strategic impact: the best customers have the longest history; they must not be the slowest.
 *
 * What is counted is entries of indexes read, not time. The planner decides by its statistics, so they are taken both ways.
 * Planted bug that turns this red: netra.place_hold() that looks for its grant by `expires_at > now()`, bare, as a
 * condition of the index: the planner then reads every grant that the organisation ever had, and sorts.
 */
import { randomUUID } from 'node:crypto';
import { suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { grantCredits, openWallet } from '../../../server/ledger/index.ts';
import type { Ctx, Transaction } from '../../../server/platform/index.ts';
import { credit, openLedger, type LedgerNode } from '../ledger-node.ts';

const others = 800;
const ended = 500;

const home = suite();
let node: LedgerNode;
let ctx: Ctx;
beforeAll(async () => {
  node = await openLedger(home);
  ctx = await node.newOrg(10n);
  await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
  // Two grants each, as most have, so that the average says nothing of the one that has many.
  await node.owner(`with made as (
      insert into netra.org (org_id, name) select gen_random_uuid(), 'other' from generate_series(1, ${others}) returning org_id
    ), w as (insert into netra.wallet (org_id, available_micro) select org_id, 2 from made)
    insert into netra.credit_grant (org_id, grant_id, source, priority, granted_micro, remaining_micro, reason)
    select org_id, gen_random_uuid(), 'purchase', p, 1, 1, 'other' from made, unnest(array[20, 30]) p`);
  await node.owner(
    `insert into netra.credit_grant (org_id, grant_id, source, priority, expires_at, effective_at, granted_micro,
       remaining_micro, expired_micro, live, reason)
     select $1, gen_random_uuid(), 'promotion', 10, now() - interval '1 day', now() - n * interval '1 day', 1, 0, 1, false,
            'long ago' from generate_series(1, ${ended}) n`,
    [ctx.principal.org_id],
  );
});

it(`M3 no movement reads what has ended, of an organisation that has had ${ended} grants`, async () => {
  expect(await readByMovements(), 'before the tables are analysed').toBeLessThan(50);
  await node.owner('analyze netra.credit_grant');
  expect(await readByMovements(), 'after').toBeLessThan(50);
  await grantCredits({ ctx, input: { amount_micro: 5n * credit, source: 'purchase', reason: 'more', key: 'more' } });
  expect(await readByMovements(11n * credit), 'taking from two').toBeLessThan(100);
});

/** Grants that one movement of each kind came by in an index, together. */
async function readByMovements(held_micro = 10n): Promise<number> {
  const [hold, key] = [randomUUID(), randomUUID()];
  const { postgres } = node.platform;
  return postgres.inOrg(ctx.principal.org_id, async (tx) => {
    // As on a connection that has lived for a while: planned once, for the average organisation.
    await tx.rows({ text: 'set local plan_cache_mode = force_generic_plan', values: [] });
    const call = (text: string): Promise<unknown> => tx.rows({ text, values: [ctx.principal.org_id, hold, key] });
    await call(`select netra.place_hold($1, $2, ${held_micro}, 'run', null, null, $3)`);
    await call(`select netra.extend_hold($1, $2, 10, $3)`);
    await call(`select netra.capture_hold($1, $2, 5, 'run', $3)`);
    await call(`select netra.settle_hold($1, $2, 5, 'run', $3)`);
    await tx.rows({
      text: `select netra.move_credits($1, 0, 1, 5, 'team', $2)`,
      values: [ctx.principal.org_id, key],
    });
    return fetched(tx);
  });
}

async function fetched(tx: Transaction): Promise<number> {
  const text = `select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::int as rows
                  from pg_index i where i.indrelid = 'netra.credit_grant'::regclass`;
  const [read] = await tx.rows<{ rows: number }>({ text, values: [] });
  return read?.rows ?? Number.NaN;
}
