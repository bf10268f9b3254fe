import { Client } from 'pg';

const granted_micro = 1_000_000_000_000n;

/**
 * Writes `pairs` of hold and settlement into each of `orgs` new organisations, as the ledger's functions would have left
 * them: links, heads, receipts and grants, so that doctor finds nothing. All chains grow side by side, a step of the
 * recursion for each version: a million transfers take 20 s, where the functions would take five minutes.
 */
export async function writeHistory(
  postgres_url: string,
  { orgs, pairs }: { readonly orgs: number; readonly pairs: number },
): Promise<void> {
  const client = new Client({ connectionString: postgres_url });
  await client.connect();
  try {
    await client.query('begin; set local session_replication_role = replica');
    for (const text of statements(orgs, pairs)) await client.query(text);
    await client.query('commit');
    // What grew over months has been vacuumed on the way. Left to autovacuum, that would fall into what is measured: up to
    // a seventh of the CPU, and none of it growth.
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

function statements(orgs: number, pairs: number): readonly string[] {
  const wholes = [orgs, pairs].every((count) => Number.isSafeInteger(count) && count > 0);
  if (!wholes) throw new Error('a history has a whole number of organisations and pairs');
  return [
    `create temporary table made on commit drop as
     select gen_random_uuid() as org_id, gen_random_uuid() as grant_id from generate_series(1, ${orgs})`,
    `insert into netra.org (org_id, name) select org_id, 'history' from made`,
    chainText(pairs),
    `insert into netra.transfer (org_id, version, kind, key, requested_micro, reason, agent, hold_id, grant_id,
       available_micro, held_micro, issued_micro, spent_micro, available_after_micro, held_after_micro,
       debt_after_micro, hash)
     select org_id, version, kind, key, requested, 'history', agent, hold_id, case kind when 'grant' then grant_id end,
            d_available, d_held, d_issued, d_spent, available, held, 0, hash from chain order by org_id, version`,
    `insert into netra.wallet (org_id, available_micro, held_micro, version, head)
     select distinct on (org_id) org_id, available, held, version, hash from chain order by org_id, version desc`,
    `insert into netra.hold (org_id, hold_id, agent, reason, state, held_micro, spent_micro, released_micro, ended_at)
     select org_id, hold_id, agent, 'history', 'settled', 10, 7, 3, now() from chain where kind = 'settle'`,
    `insert into netra.hold_grant (org_id, hold_id, grant_id, ordinal, held_micro, spent_micro, released_micro)
     select org_id, hold_id, grant_id, 1, 10, 7, 3 from chain where kind = 'settle'`,
    `insert into netra.credit_grant (org_id, grant_id, source, priority, granted_micro, spent_micro, remaining_micro,
       reason)
     select org_id, grant_id, 'purchase', 30, ${granted_micro}, ${7 * pairs}, ${granted_micro} - ${7 * pairs},
            'history' from made`,
  ];
}

/** The grant, then a hold of 10 and its settlement for 7, again and again. */
function chainText(pairs: number): string {
  const link = (from: string, head: string): string => `
    netra.link(${from}.org_id, 0, ${head}, ${from}.version, now(), ${from}.kind, ${from}.key, ${from}.requested, 'history',
      ${from}.agent, null, ${from}.hold_id, case ${from}.kind when 'grant' then ${from}.grant_id end, null, null,
      ${from}.d_available, ${from}.d_held, 0, ${from}.d_issued, ${from}.d_spent, 0, 0)`;
  return `create temporary table chain on commit drop as
    with recursive first as (
      select m.*, 1::bigint as version, null::uuid as hold_id, 'grant' as kind, 'history' as key, null::text as agent,
             ${granted_micro}::bigint as requested, ${granted_micro}::bigint as available, 0::bigint as held,
             ${granted_micro}::bigint as d_available, 0::bigint as d_held, -${granted_micro}::bigint as d_issued,
             0::bigint as d_spent from made m
    ), walk as (
      select f.*, ${link('f', 'null')} as hash from first f
      union all
      select n.org_id, n.grant_id, n.version, n.hold_id, n.kind, n.key, n.agent, n.requested, n.available, n.held,
             n.d_available, n.d_held, n.d_issued, n.d_spent, ${link('n', 'n.head')}
        from (select w.org_id, w.grant_id, w.version + 1 as version,
                     case when s.opens then gen_random_uuid() else w.hold_id end as hold_id,
                     case when s.opens then 'hold' else 'settle' end as kind, 'h' || (w.version + 1) / 2 as key,
                     'history' as agent, case when s.opens then 10::bigint else 7 end as requested,
                     w.available + case when s.opens then -10 else 3 end as available,
                     case when s.opens then 10::bigint else 0 end as held,
                     case when s.opens then -10::bigint else 3 end as d_available,
                     case when s.opens then 10::bigint else -10 end as d_held, 0::bigint as d_issued,
                     case when s.opens then 0::bigint else 7 end as d_spent, w.hash as head
                from walk w cross join lateral (select w.version % 2 = 1 as opens) s
               where w.version < 1 + 2 * ${pairs}) n
    )
    select * from walk`;
}
