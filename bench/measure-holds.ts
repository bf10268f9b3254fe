import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { grantCredits, placeHold, settleHold } from '../server/ledger/index.ts';
import type { Ctx, Platform } from '../server/platform/index.ts';
import { makeOrg } from './make-org.ts';
import { openBenchPlatform } from './open-bench-platform.ts';
import { inTurn, rate, type Pair } from './rate.ts';

const amount_micro = 1_000_000n;
const spent_micro = 700_000n;
export const plenty_micro = 1_000_000_000_000n;
const connections = 16;

/** Pairs of hold and settle a second through the ledger's verbs, beside the same writes as bare statements. */
export async function measureHolds(
  postgres_url: string,
  { wallets, pairs, rounds }: { readonly wallets: number; readonly pairs: number; readonly rounds: number },
): Promise<Pair> {
  const platform = await openBenchPlatform(postgres_url, connections);
  const owner = new Pool({ connectionString: postgres_url, max: connections });
  try {
    const ctxs = await makeWallets(platform, wallets);
    const accounts = await makeFloor(owner, wallets);
    const width = Math.min(64, connections * 4);
    const ours = (): Promise<number> => rate(pairs, width, (index) => holdAndSettle(at(ctxs, index)));
    const floor = (): Promise<number> => rate(pairs, width, (index) => floorHoldAndSettle(owner, at(accounts, index)));
    return await inTurn(rounds, ours, floor);
  } finally {
    await owner.query('drop schema if exists floor cascade');
    await Promise.all([owner.end(), platform.close()]);
  }
}

export function at<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('there is nothing to measure on');
  return item;
}

export async function makeWallets(platform: Platform, wallets: number): Promise<Ctx[]> {
  const ctxs: Ctx[] = [];
  await rate(wallets, connections, async () => {
    const ctx = await makeOrg(platform);
    const grant = { amount_micro: plenty_micro, source: 'purchase', reason: 'bench', key: 'bench' } as const;
    await grantCredits({ ctx, input: grant });
    ctxs.push(ctx);
  });
  return ctxs;
}

export async function holdAndSettle(ctx: Ctx): Promise<void> {
  const key = randomUUID();
  const { hold_id } = await placeHold({ ctx, input: { amount_micro, reason: 'run', agent: 'bench', key } });
  await settleHold({ ctx, input: { hold_id, capture_micro: spent_micro, reason: 'run', key } });
}

interface FloorAccount {
  readonly org_id: string;
  readonly grant_id: string;
}

/** The ledger's own tables and indexes, without row-level security, functions, idempotency or receipts' rules. */
async function makeFloor(owner: Pool, wallets: number): Promise<FloorAccount[]> {
  await owner.query('drop schema if exists floor cascade; create schema floor');
  for (const table of ['wallet', 'credit_grant', 'hold', 'hold_grant', 'transfer']) {
    await owner.query(`create table floor.${table} (like netra.${table} including all)`);
  }
  // The floor keeps no chain.
  await owner.query('alter table floor.transfer drop constraint transfer_hash_check');
  const accounts = Array.from({ length: wallets }, () => ({ org_id: randomUUID(), grant_id: randomUUID() }));
  const orgs = accounts.map(({ org_id }) => org_id);
  const grants = accounts.map(({ grant_id }) => grant_id);
  await owner.query('insert into floor.wallet (org_id, available_micro) select unnest($1::uuid[]), $2', [
    orgs,
    plenty_micro,
  ]);
  await owner.query(
    `insert into floor.credit_grant (org_id, grant_id, source, priority, granted_micro, remaining_micro, reason)
     select o, g, 'purchase', 30, $3, $3, 'bench' from unnest($1::uuid[], $2::uuid[]) t(o, g)`,
    [orgs, grants, plenty_micro],
  );
  return accounts;
}

const floorHold = `
  with w as (
    update floor.wallet set available_micro = available_micro - $4, held_micro = held_micro + $4, version = version + 1
     where org_id = $1 and wallet_id = 0 and available_micro >= $4 returning *
  ), g as (
    update floor.credit_grant set remaining_micro = remaining_micro - $4, held_micro = held_micro + $4
     where org_id = $1 and grant_id = $2
  ), h as (
    insert into floor.hold (org_id, hold_id, agent, reason, held_micro) values ($1, $3, 'bench', 'run', $4)
  ), r as (
    insert into floor.hold_grant (org_id, hold_id, grant_id, ordinal, held_micro) values ($1, $3, $2, 1, $4)
  )
  insert into floor.transfer (org_id, version, kind, key, requested_micro, reason, agent, hold_id, available_micro,
    held_micro, available_after_micro, held_after_micro, debt_after_micro)
  select $1, w.version, 'hold', $5, $4, 'run', 'bench', $3, -$4::bigint, $4, w.available_micro, w.held_micro, 0 from w`;

const floorSettle = `
  with h as (
    update floor.hold set state = 'settled', ended_at = now(), spent_micro = $4, released_micro = held_micro - $4
     where org_id = $1 and hold_id = $3 and state = 'active' returning *
  ), w as (
    update floor.wallet w set available_micro = w.available_micro + h.released_micro,
           held_micro = w.held_micro - h.held_micro, version = w.version + 1
      from h where w.org_id = $1 and w.wallet_id = 0 returning w.*
  ), r as (
    update floor.hold_grant r set spent_micro = $4, released_micro = h.released_micro
      from h where r.org_id = $1 and r.hold_id = $3
  ), g as (
    update floor.credit_grant g set held_micro = g.held_micro - h.held_micro, spent_micro = g.spent_micro + $4,
           remaining_micro = g.remaining_micro + h.released_micro from h where g.org_id = $1 and g.grant_id = $2
  )
  insert into floor.transfer (org_id, version, kind, key, requested_micro, reason, agent, hold_id, available_micro,
    held_micro, spent_micro, available_after_micro, held_after_micro, debt_after_micro)
  select $1, w.version, 'settle', $5, $4, 'run', 'bench', $3, h.released_micro, -h.held_micro, $4, w.available_micro,
         w.held_micro, 0 from w, h`;

async function floorHoldAndSettle(owner: Pool, { org_id, grant_id }: FloorAccount): Promise<void> {
  const hold_id = randomUUID();
  const hold = [org_id, grant_id, hold_id, amount_micro, hold_id];
  const settle = [org_id, grant_id, hold_id, spent_micro, hold_id];
  await owner.query({ name: 'floor.hold', text: floorHold, values: hold });
  await owner.query({ name: 'floor.settle', text: floorSettle, values: settle });
}
