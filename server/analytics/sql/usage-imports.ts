import type { Statement } from '../../platform/index.ts';

export function beginUsageImport(row: {
  readonly org_id: string;
  readonly import_id: string;
  readonly key: string;
  readonly hash: string;
  readonly lease_token: string;
  readonly lease_ms: number;
}): Statement {
  return {
    name: 'begin_usage_import',
    text: 'select state, attempt, result from netra.begin_usage_import($1, $2, $3, $4, $5, $6)',
    values: [row.org_id, row.import_id, row.key, row.hash, row.lease_token, row.lease_ms],
  };
}

export function renewUsageImport(row: {
  readonly org_id: string;
  readonly import_id: string;
  readonly lease_token: string;
  readonly lease_ms: number;
}): Statement {
  return {
    name: 'renew_usage_import',
    text: 'select netra.renew_usage_import($1, $2, $3, $4)',
    values: [row.org_id, row.import_id, row.lease_token, row.lease_ms],
  };
}

/** With `result` the import is done; without it the lease is let go, so that a retry need not wait for its end. */
export function endUsageImport(row: {
  readonly org_id: string;
  readonly import_id: string;
  readonly lease_token: string;
  readonly result: string | null;
}): Statement {
  return {
    name: 'end_usage_import',
    text: 'select netra.end_usage_import($1, $2, $3, $4::jsonb)',
    values: [row.org_id, row.import_id, row.lease_token, row.result],
  };
}

export function takeUsageTurn(org_id: string, import_id: string, lease_ms: number): Statement {
  return {
    name: 'take_usage_turn',
    text: 'select netra.take_usage_turn($1, $2, $3) as taken',
    values: [org_id, import_id, lease_ms],
  };
}

const inSpan = `from usage
where org_id = {org:UUID}
  and source = 'import'
  and origin = {origin:String}
  and at between parseDateTime64BestEffort({from:String}, 7, 'UTC') and parseDateTime64BestEffort({to:String}, 7, 'UTC')`;

/** For ClickHouse: how many calls are there from the first of a batch to its last. */
export const callsInSpanText = `select count() as calls\n${inSpan}`;

/** For ClickHouse: which of these ids are among them. */
export const idsPresentText = `select distinct request_id\n${inSpan}\n  and request_id in {ids:Array(String)}`;

/** For ClickHouse: which lines of a part of the file are there already. */
export const linesPresentText = `select import_line
from usage
where org_id = {org:UUID}
  and import_id = {import:UUID}
  and import_line between {first:UInt64} and {last:UInt64}`;
