import type { Statement } from '../../platform/index.ts';

export interface StatementFigures {
  readonly fee_micro: string;
  readonly model_micro: string;
  readonly refunded_micro: string;
  readonly spent_micro: string;
}

export interface StatementRow extends StatementFigures {
  readonly of: string | null;
}

/** Half-open. */
export interface StatementRange {
  readonly org_id: string;
  readonly from: Date | null;
  readonly to: Date;
}

export type StatementBy = 'organisation' | 'user' | 'agent' | 'model' | 'day';

const groups: Record<StatementBy, string> = {
  organisation: 't.org_id::text',
  user: 't.user_id',
  agent: 't.agent',
  model: 't.model',
  day: `to_char(t.at at time zone 'UTC', 'YYYY-MM-DD')`,
};

const names = ['fee_micro', 'model_micro', 'refunded_micro', 'spent_micro'] as const;
// As text: a sum of bigint is numeric, and must not pass through a number.
const total = names.map((name) => `coalesce((select sum(a.${name}) from line a), 0)::text as total_${name}`).join(', ');
const line = names.map((name) => `coalesce(l.${name}, 0)::text as ${name}`).join(', ');

/** One line, and the total of all lines, of this page or not. Without any line, one row whose `is_line` is false. */
export type StatementPageRow = StatementRow & {
  readonly is_line: boolean;
} & { readonly [Name in keyof StatementFigures as `total_${Name}`]: string };

/**
 * A page of the lines, in the order of their names, what has none at the end; and the total, of the same moment. Of every
 * wallet. The transfers of an organisation are a range of the primary key. `after`: the last of the page before.
 */
export function statementPage(
  { org_id, from, to }: StatementRange,
  by: StatementBy,
  after: string | null,
  limit: number,
): Statement {
  return {
    name: `ledger.statement_${by}`,
    text: `with line as materialized (
             select (${groups[by]}) collate "C" as of,
                    sum(t.spent_micro) filter (where t.kind <> 'refund' and t.model is null) as fee_micro,
                    sum(t.spent_micro) filter (where t.kind <> 'refund' and t.model is not null) as model_micro,
                    -sum(t.spent_micro) filter (where t.kind = 'refund') as refunded_micro,
                    sum(t.spent_micro) as spent_micro
               from netra.transfer t
              where t.org_id = $1 and t.spent_micro <> 0 and ($2::timestamptz is null or t.at >= $2) and t.at < $3
              group by 1
           )
           select l.is_line is not null as is_line, l.of, ${line}, ${total}
             from (select) one
             left join (select true as is_line, p.* from line p
                         where $4::text is null or p.of > $4 or p.of is null
                         order by p.of nulls last limit $5) l on true
            order by l.of nulls last`,
    values: [org_id, from, to, after, limit],
  };
}

/** How far each wallet's history goes now: an export ends there, whatever is written meanwhile. */
export interface WalletHead {
  readonly wallet_id: number;
  readonly version: bigint;
}

export function walletHeads(org_id: string): Statement {
  return {
    name: 'ledger.wallet_heads',
    text: 'select wallet_id, version from netra.wallet where org_id = $1 order by wallet_id',
    values: [org_id],
  };
}

export interface ExportedRow {
  readonly wallet: number;
  readonly transfer: bigint;
  readonly at: Date;
  readonly kind: string;
  readonly reason: string;
  readonly user: string | null;
  readonly agent: string | null;
  readonly model: string | null;
  readonly run: string | null;
  readonly hold: string | null;
  readonly available_micro: bigint;
  readonly held_micro: bigint;
  readonly debt_micro: bigint;
  readonly issued_micro: bigint;
  readonly spent_micro: bigint;
  readonly expired_micro: bigint;
  readonly moved_micro: bigint;
  readonly balance_micro: bigint;
}

/** The next transfers of a wallet, by its version. The range is of versions looked at: what `from` and `to` leave out
 * counts towards it, so that one page never reads the whole history. `upto` is where the page ended. */
export function exportPage(
  { org_id, from, to }: StatementRange,
  wallet_id: number,
  after: bigint,
  upto: bigint,
): Statement {
  return {
    name: 'ledger.export_page',
    text: `select wallet_id as wallet, version as transfer, at, kind, reason, user_id as "user", agent, model,
                  run_id as run, hold_id as hold, available_micro, held_micro, debt_micro, issued_micro, spent_micro,
                  expired_micro, moved_micro, available_after_micro as balance_micro
             from netra.transfer
            where org_id = $1 and wallet_id = $4 and version > $5 and version <= $6
              and ($2::timestamptz is null or at >= $2) and at < $3
            order by version`,
    values: [org_id, from, to, wallet_id, after, upto],
  };
}
