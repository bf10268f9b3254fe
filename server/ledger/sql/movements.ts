import type { Statement } from '../../platform/index.ts';

// One call of one function = one movement = one round trip. The functions enter the tenant, lock the wallet's row and
// write the transfer, linked to the one before; they are in migrations/postgres/0004_ledger.up.sql and, as they are now,
// in 0012_ledger_chain.up.sql.

/** What may be drawn beyond the balance: what the plan says, or all of it, counted and never billed. */
export type Beyond = 'plan' | 'observe';

export interface HoldPlaced {
  readonly hold_id: string;
  readonly balance_micro: bigint;
}

export function placeHoldStatement(values: {
  readonly org_id: string;
  readonly hold_id: string;
  readonly amount_micro: bigint;
  readonly reason: string;
  readonly agent: string | null;
  readonly run_id: string | null;
  readonly key: string;
  readonly user_id: string | null;
  readonly wallet: number;
  readonly expires_at: Date | null;
  readonly beyond: Beyond;
}): Statement {
  const { org_id, hold_id, amount_micro, reason, agent, run_id, key, user_id, wallet, expires_at, beyond } = values;
  return {
    name: 'ledger.place_hold',
    // A known key answers with the hold that it opened, not with the id that this caller has just made.
    text: 'select balance_micro, hold_id from netra.place_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    values: [org_id, hold_id, amount_micro, reason, agent, run_id, key, user_id, wallet, expires_at, beyond],
  };
}

export interface HoldExtended {
  readonly balance_micro: bigint;
}

export function extendHoldStatement(
  org_id: string,
  hold_id: string,
  by_micro: bigint,
  key: string,
  beyond: Beyond,
): Statement {
  return {
    name: 'ledger.extend_hold',
    text: 'select balance_micro from netra.extend_hold($1, $2, $3, $4, $5)',
    values: [org_id, hold_id, by_micro, key, beyond],
  };
}

export interface HoldCaptured {
  /** Held and spent over the hold's life. */
  readonly held_micro: bigint;
  readonly spent_micro: bigint;
  readonly balance_micro: bigint;
}

export function captureHoldStatement(values: {
  readonly org_id: string;
  readonly hold_id: string;
  readonly amount_micro: bigint;
  readonly reason: string;
  readonly key: string;
  readonly model: string | null;
  readonly beyond: Beyond;
}): Statement {
  const { org_id, hold_id, amount_micro, reason, key, model, beyond } = values;
  return {
    name: 'ledger.capture_hold',
    text: 'select held_micro, spent_micro, balance_micro from netra.capture_hold($1, $2, $3, $4, $5, $6, $7)',
    values: [org_id, hold_id, amount_micro, reason, key, model, beyond],
  };
}

export interface HoldSettled extends HoldCaptured {
  readonly released_micro: bigint;
}

export function settleHoldStatement(values: {
  readonly org_id: string;
  readonly hold_id: string;
  readonly capture_micro: bigint;
  readonly reason: string;
  readonly key: string;
  readonly beyond: Beyond;
}): Statement {
  const { org_id, hold_id, capture_micro, reason, key, beyond } = values;
  return {
    name: 'ledger.settle_hold',
    text: `select held_micro, spent_micro, released_micro, balance_micro
             from netra.settle_hold($1, $2, $3, $4, $5, $6)`,
    values: [org_id, hold_id, capture_micro, reason, key, beyond],
  };
}

export interface HoldRefunded {
  readonly refunded_micro: bigint;
  readonly balance_micro: bigint;
}

export function refundHoldStatement(
  org_id: string,
  hold_id: string,
  amount_micro: bigint,
  reason: string,
  key: string,
): Statement {
  return {
    name: 'ledger.refund_hold',
    text: 'select refunded_micro, balance_micro from netra.refund_hold($1, $2, $3, $4, $5)',
    values: [org_id, hold_id, amount_micro, reason, key],
  };
}

export function openWalletStatement(org_id: string, wallet: number, name: string): Statement {
  return {
    name: 'ledger.open_wallet',
    text: 'select netra.open_wallet($1, $2, $3)',
    values: [org_id, wallet, name],
  };
}

export interface CreditsMoved {
  readonly from_balance_micro: bigint;
  readonly to_balance_micro: bigint;
}

export function moveCreditsStatement(values: {
  readonly org_id: string;
  readonly from: number;
  readonly to: number;
  readonly amount_micro: bigint;
  readonly reason: string;
  readonly key: string;
}): Statement {
  const { org_id, from, to, amount_micro, reason, key } = values;
  return {
    name: 'ledger.move_credits',
    text: 'select from_balance_micro, to_balance_micro from netra.move_credits($1, $2, $3, $4, $5, $6)',
    values: [org_id, from, to, amount_micro, reason, key],
  };
}

export interface CreditsGranted {
  readonly grant_id: string;
  /** Zero if the key was known: nothing was given again. */
  readonly granted_micro: bigint;
  readonly balance_micro: bigint;
}

export function grantCreditsStatement(values: {
  readonly org_id: string;
  readonly grant_id: string;
  readonly amount_micro: bigint;
  readonly source: string;
  readonly priority: number | null;
  readonly expires_at: Date | null;
  readonly reason: string;
  readonly key: string;
}): Statement {
  const { org_id, grant_id, amount_micro, source, priority, expires_at, reason, key } = values;
  return {
    name: 'ledger.grant_credits',
    text: 'select grant_id, granted_micro, balance_micro from netra.grant_credits($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [org_id, grant_id, amount_micro, source, priority, expires_at, reason, key],
  };
}

export function expireGrantsStatement(org_id: string): Statement {
  return {
    name: 'ledger.expire_grants',
    text: 'select netra.expire_grants($1) as expired_micro',
    values: [org_id],
  };
}
