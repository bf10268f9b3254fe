import { versions } from './stage.ts';

/** What somebody with the superuser's rights does to one organisation (`$1`), and what doctor must say of it. */
export interface Tampering {
  readonly what: string;
  readonly sql: readonly string[];
  readonly invariant: string;
  readonly fault: string;
  readonly place: string;
  /** Of the row's key. */
  readonly key?: Readonly<Record<string, unknown>>;
  /** The version of the wallet's transfer whose time is named; null: no row tells. */
  readonly since: number | null;
}

const transfer = 'netra.transfer';
const of0 = 'org_id = $1 and wallet_id = 0';
const row = (version: number): string => `${of0} and version = ${version}`;
const { hold, settle, place, extend, capture, refund, run, last } = versions;

/** Puts a forger's hash on a row: what the chain would say if this row had always read like that. */
const rehash = (version: number): string => `
  update netra.transfer t set hash = netra.link(t.org_id, t.wallet_id, p.hash, t.version, t.at, t.kind, t.key,
    t.requested_micro, t.reason, t.agent, t.run_id, t.hold_id, t.grant_id, t.user_id, t.model, t.available_micro,
    t.held_micro, t.debt_micro, t.issued_micro, t.spent_micro, t.expired_micro, t.moved_micro)
    from netra.transfer p where p.org_id = t.org_id and p.wallet_id = 0 and p.version = t.version - 1
     and t.org_id = $1 and t.wallet_id = 0 and t.version = ${version}`;

export const tamperings: readonly Tampering[] = [
  {
    what: 'the amount of a transfer edited',
    sql: [
      `update netra.transfer set available_micro = available_micro + 1, held_micro = held_micro - 1 where ${row(place)}`,
    ],
    invariant: 'M1',
    fault: 'transfer_altered',
    place: transfer,
    key: { version: place },
    since: place,
  },
  {
    what: 'the amount and the balances after of a transfer edited, and its hash computed anew',
    sql: [
      `update netra.transfer set spent_micro = spent_micro + 1, available_micro = available_micro - 1,
         available_after_micro = available_after_micro - 1 where ${row(settle)}`,
      rehash(settle),
    ],
    invariant: 'chain',
    fault: 'link_broken',
    place: transfer,
    key: { version: place },
    since: place,
  },
  {
    what: 'the reason of a transfer edited',
    sql: [`update netra.transfer set reason = 'gift' where ${row(settle)}`],
    invariant: 'chain',
    fault: 'link_broken',
    place: transfer,
    key: { version: settle },
    since: settle,
  },
  {
    what: 'the time of a transfer edited',
    sql: [`update netra.transfer set at = at - interval '1 microsecond' where ${row(extend)}`],
    invariant: 'chain',
    fault: 'link_broken',
    place: transfer,
    key: { version: extend },
    since: extend,
  },
  {
    what: 'the first transfer deleted',
    sql: [`delete from netra.transfer where ${row(1)}`],
    invariant: 'M1',
    fault: 'transfer_missing',
    place: transfer,
    key: { version: 1 },
    since: 2,
  },
  {
    what: 'a transfer in the middle deleted',
    sql: [`delete from netra.transfer where ${row(capture)}`],
    invariant: 'M1',
    fault: 'transfer_missing',
    place: transfer,
    key: { version: capture },
    since: extend,
  },
  {
    what: 'the last transfer deleted',
    sql: [`delete from netra.transfer where ${row(last)}`],
    invariant: 'M1',
    fault: 'transfers_cut',
    place: transfer,
    key: { version: last },
    since: run,
  },
  {
    what: 'two transfers swapped',
    sql: [
      `update netra.transfer set version = case version when ${hold} then ${settle} + 1000 else ${hold} + 1000 end
        where ${of0} and version in (${hold}, ${settle})`,
      `update netra.transfer set version = version - 1000 where ${of0} and version > 1000`,
    ],
    invariant: 'chain',
    fault: 'link_broken',
    place: transfer,
    key: { version: settle },
    since: hold,
  },
  {
    what: 'a transfer added after the last',
    sql: [
      `insert into netra.transfer (org_id, version, kind, key, requested_micro, reason, available_micro, issued_micro,
         available_after_micro, held_after_micro, debt_after_micro, hash)
       select org_id, version + 1, 'grant', 'forged', 9, 'forged', 9, -9, available_after_micro + 9, held_after_micro,
              debt_after_micro, sha256('forged') from netra.transfer where ${row(last)}`,
    ],
    invariant: 'M1',
    fault: 'transfers_beyond',
    place: transfer,
    key: { version: last + 1 },
    since: null,
  },
  {
    what: 'credits given by hand, with a transfer and a grant that agree',
    sql: [
      `insert into netra.transfer (org_id, version, kind, key, requested_micro, reason, grant_id, available_micro,
         issued_micro, available_after_micro, held_after_micro, debt_after_micro, hash)
       select org_id, version + 1, 'grant', 'forged', 9, 'forged', '00000000-0000-4000-8000-000000000001', 9, -9,
              available_after_micro + 9, held_after_micro, debt_after_micro, sha256('forged')
         from netra.transfer where ${row(last)}`,
      `insert into netra.credit_grant (org_id, grant_id, source, priority, granted_micro, remaining_micro, reason)
       values ($1, '00000000-0000-4000-8000-000000000001', 'adjustment', 20, 9, 9, 'forged')`,
      `update netra.wallet set available_micro = available_micro + 9, version = version + 1, head = sha256('forged')
        where ${of0}`,
    ],
    invariant: 'chain',
    fault: 'link_broken',
    place: transfer,
    key: { version: last + 1 },
    since: null,
  },
  {
    what: 'the balance of a wallet raised',
    sql: [`update netra.wallet set available_micro = available_micro + 1 where ${of0}`],
    invariant: 'M1',
    fault: 'wallet_altered',
    place: 'netra.wallet',
    key: { wallet_id: 0 },
    since: last,
  },
  {
    what: 'the head of a wallet written',
    sql: [`update netra.wallet set head = sha256('x') where ${of0}`],
    invariant: 'chain',
    fault: 'head_altered',
    place: 'netra.wallet',
    key: { wallet_id: 0 },
    since: last,
  },
  {
    what: 'a wallet deleted',
    sql: [`delete from netra.wallet where ${of0}`],
    invariant: 'M1',
    fault: 'wallet_missing',
    place: 'netra.wallet',
    key: { wallet_id: 0 },
    since: last,
  },
  {
    what: 'a grant raised',
    sql: [
      `update netra.credit_grant set granted_micro = granted_micro + 1, remaining_micro = remaining_micro + 1
        where org_id = $1 and source = 'promotion'`,
    ],
    invariant: 'M3',
    fault: 'grant_altered',
    place: 'netra.credit_grant',
    since: last,
  },
  {
    what: 'a grant deleted',
    sql: [`delete from netra.credit_grant where org_id = $1 and source = 'promotion'`],
    invariant: 'M3',
    fault: 'grant_missing',
    place: 'netra.credit_grant',
    since: last,
  },
  {
    what: 'a grant added',
    sql: [
      `insert into netra.credit_grant (org_id, grant_id, source, priority, effective_at, granted_micro,
         remaining_micro, reason) values ($1, gen_random_uuid(), 'adjustment', 20, '2026-10-01Z', 9, 9, 'gift')`,
    ],
    invariant: 'M3',
    fault: 'grant_unbooked',
    place: 'netra.credit_grant',
    since: null,
  },
  {
    what: 'what remains of a grant called expired',
    sql: [
      `update netra.credit_grant set expired_micro = 1, remaining_micro = remaining_micro - 1
        where org_id = $1 and source = 'promotion'`,
    ],
    invariant: 'M3',
    fault: 'expiry_shifted',
    place: 'netra.credit_grant',
    key: { wallet_id: 0 },
    since: null,
  },
  {
    what: 'what a grant moved to another wallet shortened',
    sql: [
      `update netra.credit_grant set moved_micro = moved_micro - 1, remaining_micro = remaining_micro + 1
        where org_id = $1 and moved_micro > 0`,
    ],
    invariant: 'M3',
    fault: 'move_shifted',
    place: 'netra.credit_grant',
    key: { wallet_id: 0 },
    since: 9,
  },
  {
    what: 'a hold raised',
    sql: [`update netra.hold set held_micro = held_micro + 1 where org_id = $1 and state = 'active'`],
    invariant: 'M2',
    fault: 'hold_altered',
    place: 'netra.hold',
    since: capture,
  },
  {
    what: 'a hold deleted',
    sql: [`delete from netra.hold where org_id = $1 and state = 'active'`],
    invariant: 'M2',
    fault: 'hold_missing',
    place: 'netra.hold',
    since: place,
  },
  {
    what: 'a hold added',
    sql: [
      `insert into netra.hold (org_id, hold_id, reason, held_micro, created_at)
       values ($1, gen_random_uuid(), 'forged', 0, '2026-10-01Z')`,
      `update netra.hold set held_micro = 5 where org_id = $1 and reason = 'forged'`,
    ],
    invariant: 'M2',
    fault: 'hold_unbooked',
    place: 'netra.hold',
    since: null,
  },
  {
    what: 'a refund added to a hold',
    sql: [
      `update netra.hold set refunded_micro = refunded_micro + 1 where org_id = $1 and refunded_micro > 0`,
      `update netra.hold_grant set refunded_micro = refunded_micro + 1 where org_id = $1 and refunded_micro > 0`,
    ],
    invariant: 'M2',
    fault: 'hold_altered',
    place: 'netra.hold',
    since: refund,
  },
  {
    what: 'a receipt changed',
    sql: [
      `update netra.hold_grant set spent_micro = spent_micro - 1, released_micro = released_micro + 1
            where org_id = $1 and refunded_micro > 0`,
    ],
    invariant: 'M3',
    fault: 'receipt_altered',
    place: 'netra.hold_grant',
    since: refund,
  },
  {
    what: 'a receipt deleted',
    sql: [`delete from netra.hold_grant where org_id = $1 and refunded_micro > 0`],
    invariant: 'M3',
    fault: 'receipt_altered',
    place: 'netra.hold_grant',
    since: refund,
  },
  {
    what: 'the hold of an ended run opened again',
    sql: [
      `update netra.hold h set state = 'active', ended_at = null, spent_micro = 0 from netra.run r
        where h.org_id = $1 and r.org_id = $1 and h.hold_id = r.hold_id`,
    ],
    invariant: 'M2',
    fault: 'hold_of_ended_run',
    place: 'netra.hold',
    since: last,
  },
  {
    what: 'an event deleted',
    sql: [`delete from netra.event where org_id = $1 and seq = 3`],
    invariant: 'R1',
    fault: 'log_gap',
    place: 'netra.event',
    key: { seq: 3 },
    since: null,
  },
  {
    what: 'the last event deleted',
    sql: [`delete from netra.event e where org_id = $1 and seq = (select max(seq) from netra.event where org_id = $1)`],
    invariant: 'R1',
    fault: 'log_cut',
    place: 'netra.event',
    since: null,
  },
  {
    what: 'a run deleted',
    sql: [`delete from netra.run where org_id = $1`],
    invariant: 'R1',
    fault: 'run_missing',
    place: 'netra.run',
    since: null,
  },
];
