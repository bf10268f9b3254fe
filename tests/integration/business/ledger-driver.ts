import type { LedgerNode } from '../ledger-node.ts';

/** One call of the ledger as the driver takes it: the verb, then its arguments. */
export type Call = readonly [verb: string, ...args: (string | number | null)[]];

/** What the ledger answered, by column, or the code of the refusal. */
export type Answer = string | Readonly<Record<string, number | string>>;

/** All that the ledger keeps of an organisation, oldest first; amounts are micro-credits. */
export interface Kept {
  readonly wallets: readonly (readonly number[])[];
  readonly grants: readonly (readonly (number | string)[])[];
  readonly holds: readonly (readonly (number | string)[])[];
  readonly receipts: readonly (readonly (number | string)[])[];
}

/**
 * Makes a driver in the suite's own database: it takes a whole sequence in one round trip and plays each call as the
 * application would, the real function in a transaction of its own (so that time moves on between them).
 */
export async function makeDriver(node: LedgerNode): Promise<void> {
  for (const text of [schema, endGrant, openLine, take, keep, play, grants]) await node.owner(text);
}

const schema = 'create schema driver';

/** A grant's time is up. The application could not do this, so the owner does. */
const endGrant = `
  create function driver.end_grant(p_org uuid, p_grant uuid) returns void
  language sql security definer set search_path = pg_catalog as $$
    update netra.credit_grant set expires_at = now() - interval '1 second' where org_id = p_org and grant_id = p_grant
  $$`;

const openLine = `
  create function driver.open_line(p_org uuid, p_limit_micro bigint) returns void
  language sql security definer set search_path = pg_catalog as $$
    insert into netra.test_line values (p_org, p_limit_micro)
  $$`;

const take = `
  create function driver.take(o uuid, c jsonb) returns jsonb
  language plpgsql as $$
  declare
    v_answer jsonb;
  begin
    case c ->> 0
      when 'grant' then
        select to_jsonb(r) into strict v_answer from netra.grant_credits(o, (c ->> 1)::uuid, (c ->> 2)::bigint, c ->> 3,
          (c ->> 4)::smallint, (c ->> 5)::timestamptz, 'property', c ->> 6) r;
      when 'place' then
        select to_jsonb(r) into strict v_answer from netra.place_hold(o, (c ->> 1)::uuid, (c ->> 2)::bigint, 'fee',
          'rehearsal', null, c ->> 3, p_wallet => (c ->> 4)::int, p_beyond => c ->> 5) r;
      when 'extend' then
        select jsonb_build_object('balance_micro', r.balance_micro) into strict v_answer from netra.extend_hold(o, (c ->> 1)::uuid, (c ->> 2)::bigint, c ->> 3,
          p_beyond => c ->> 4) r;
      when 'capture' then
        select to_jsonb(r) into strict v_answer from netra.capture_hold(o, (c ->> 1)::uuid, (c ->> 2)::bigint, 'model',
          c ->> 3, p_beyond => c ->> 4) r;
      when 'settle' then
        select to_jsonb(r) into strict v_answer from netra.settle_hold(o, (c ->> 1)::uuid, (c ->> 2)::bigint, 'run',
          c ->> 3, p_beyond => c ->> 4) r;
      when 'refund' then
        select to_jsonb(r) into strict v_answer from netra.refund_hold(o, (c ->> 1)::uuid, (c ->> 2)::bigint, 'sorry',
          c ->> 3) r;
      when 'move' then
        select to_jsonb(r) into strict v_answer from netra.move_credits(o, (c ->> 1)::int, 1 - (c ->> 1)::int,
          (c ->> 2)::bigint, 'team', c ->> 3) r;
      when 'end' then
        perform driver.end_grant(o, (c ->> 1)::uuid);
        v_answer := '{}';
      when 'book' then
        v_answer := jsonb_build_object('expired_micro', netra.expire_grants(o));
      when 'open' then
        perform netra.enter_org(o);
        insert into netra.org (org_id, name) values (o, 'sequence');
        if c ->> 1 is not null then perform driver.open_line(o, nullif(c ->> 1, 'unlimited')::bigint); end if;
        v_answer := '{}';
      when 'wallet' then
        perform netra.open_wallet(o, 1, 'second');
        v_answer := '{}';
    end case;
    return v_answer;
  exception when sqlstate 'NT000' then
    return to_jsonb(sqlerrm);
  end
  $$`;

const keep = `
  create function driver.keep(o uuid) returns jsonb
  language plpgsql as $$
  begin
    perform netra.enter_org(o);
    return jsonb_build_object(
      'wallets', (select jsonb_agg(jsonb_build_array(b.available_micro, b.held_micro, b.debt_micro, b.overage_micro)
                                   order by w.wallet_id)
                    from netra.wallet w cross join lateral netra.read_balance(o, w.wallet_id) b),
      'grants', (select jsonb_agg(jsonb_build_array(g.grant_id, g.wallet_id, g.granted_micro, g.spent_micro,
                                    g.held_micro, g.remaining_micro, g.expired_micro, g.moved_micro)
                                  order by g.wallet_id, g.effective_at, g.grant_id) from netra.credit_grant g),
      'holds', (select jsonb_agg(jsonb_build_array(h.hold_id, h.state, h.held_micro, h.spent_micro, h.released_micro,
                                   h.refunded_micro, h.debt_micro) order by h.created_at) from netra.hold h),
      'receipts', (select jsonb_agg(jsonb_build_array(r.hold_id, r.grant_id, r.held_micro - r.released_micro,
                                      r.spent_micro, r.refunded_micro) order by h.created_at, r.ordinal)
                     from netra.hold_grant r join netra.hold h using (org_id, hold_id)));
  end
  $$`;

const play = `
  create procedure driver.play(p_org uuid, p_calls jsonb, inout p_out jsonb)
  language plpgsql as $$
  declare
    v_answers jsonb := '[]';
  begin
    for v_place in 0 .. jsonb_array_length(p_calls) - 1 loop
      v_answers := v_answers || jsonb_build_array(driver.take(p_org, p_calls -> v_place));
      commit;
    end loop;
    p_out := jsonb_build_object('answers', v_answers, 'kept', driver.keep(p_org));
  end
  $$`;

const grants = `
  grant usage on schema driver to netra_app;
  grant execute on all functions in schema driver to netra_app;
  grant execute on all procedures in schema driver to netra_app`;
