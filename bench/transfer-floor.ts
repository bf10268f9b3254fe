import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';

/**
 * The shape that pgledger publishes its figures for, in as few statements as it can be done: two accounts with a
 * balance and a version, locked in the order of their ids; one transfer; an entry a side with the balance before and
 * after; indexes by account and by transfer. No tenants, idempotency, grants, holds or chain.
 */
const schema = `
  drop schema if exists transfer_floor cascade;
  create schema transfer_floor;
  create table transfer_floor.account (
    account_id uuid primary key, balance numeric not null default 0, version bigint not null default 0,
    updated_at timestamptz not null default now());
  create table transfer_floor.transfer (
    transfer_id uuid primary key, from_id uuid not null references transfer_floor.account,
    to_id uuid not null references transfer_floor.account, amount numeric not null check (amount > 0),
    at timestamptz not null default now());
  create index on transfer_floor.transfer (from_id);
  create index on transfer_floor.transfer (to_id);
  create table transfer_floor.entry (
    entry_id uuid primary key, account_id uuid not null references transfer_floor.account,
    transfer_id uuid not null references transfer_floor.transfer, amount numeric not null, before numeric not null,
    after numeric not null, version bigint not null, at timestamptz not null default now());
  create index on transfer_floor.entry (account_id);
  create index on transfer_floor.entry (transfer_id);
  create function transfer_floor.move(p_transfer uuid, p_from uuid, p_to uuid, p_amount numeric) returns void
    language plpgsql as $$
  declare
    v_from transfer_floor.account;
    v_to transfer_floor.account;
  begin
    perform from transfer_floor.account a where a.account_id in (p_from, p_to) order by a.account_id for update;
    update transfer_floor.account set balance = balance - p_amount, version = version + 1, updated_at = now()
     where account_id = p_from returning * into v_from;
    update transfer_floor.account set balance = balance + p_amount, version = version + 1, updated_at = now()
     where account_id = p_to returning * into v_to;
    insert into transfer_floor.transfer (transfer_id, from_id, to_id, amount)
    values (p_transfer, p_from, p_to, p_amount);
    insert into transfer_floor.entry (entry_id, account_id, transfer_id, amount, before, after, version)
    values (gen_random_uuid(), p_from, p_transfer, -p_amount, v_from.balance + p_amount, v_from.balance, v_from.version),
           (gen_random_uuid(), p_to, p_transfer, p_amount, v_to.balance - p_amount, v_to.balance, v_to.version);
  end
  $$`;

/** Makes the tables and `count` accounts. */
export async function makeTransferFloor(owner: Pool, count: number): Promise<readonly string[]> {
  await owner.query(schema);
  const accounts = Array.from({ length: count }, () => randomUUID());
  await owner.query('insert into transfer_floor.account (account_id) select unnest($1::uuid[])', [accounts]);
  return accounts;
}

/** One transfer between two accounts, in one round trip. */
export async function moveOnFloor(owner: Pool, from: string, to: string): Promise<void> {
  const text = 'select transfer_floor.move($1, $2, $3, 1)';
  await owner.query({ name: 'transfer_floor.move', text, values: [randomUUID(), from, to] });
}

export async function dropTransferFloor(owner: Pool): Promise<void> {
  await owner.query('drop schema if exists transfer_floor cascade');
}
