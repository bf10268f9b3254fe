import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NetraError } from '@netra/contract';
import { eventually, withOwner, type Suite } from '@netra/testkit';
import { beforeAll, expect, it } from 'vitest';
import { admitRun } from '../../../../server/agents/index.ts';
import { checkBooks, readBalance } from '../../../../server/ledger/index.ts';
import type { Ctx } from '../../../../server/platform/index.ts';
import { checkRunLog } from '../../../../server/runs/index.ts';
import { openAgents, type AgentsNode } from '../../agents-node.ts';
import { credit } from '../../ledger-node.ts';
import { openOwnPostgres, type OwnPostgres } from '../../own-postgres.ts';

const organisations = 3;
/** Each client of an organisation waits for its answer before it goes on; with the runs, ten tasks an organisation. */
const chargers = 4;
const runners = 3;
const fee_micro = credit;
const charge_micro = 3n * credit;
const rehearsal = { steps: 4, deltas: 2, delta_bytes: 32, step_ms: 20, tool: 'wait' };

/** What a client was told is done. */
type Acknowledged =
  | { readonly kind: 'charge'; readonly ctx: Ctx; readonly thread: string; readonly hold: string }
  | { readonly kind: 'run'; readonly ctx: Ctx; readonly run: string };

/** On a PostgreSQL of its own, which it kills. */
export function durability(home: Suite): void {
  let server: OwnPostgres;
  let node: AgentsNode;
  beforeAll(async () => {
    server = await openOwnPostgres(home.stores.clickhouse_url);
    home.onEnd(() => server.close());
    const stores = { ...home.stores, postgres_url: server.postgres_url };
    const on = { ...home, stores, env: { ...home.env, NETRA_POSTGRES_URL: server.postgres_url } };
    node = await openAgents(on, { NETRA_LEASE_MS: '1000', NETRA_POSTGRES_POOL: '24' });
  }, 120_000);

  // Planted bug that turns it red: synchronous_commit = off in the server's settings (what was acknowledged is lost with
  // the memory that its log waited in).
  it('postgres-3 loses nothing acknowledged, and halves nothing in flight, when PostgreSQL gets kill -9 under committing work', async () => {
    const ctxs = await Promise.all(Array.from({ length: organisations }, () => node.newOrg('enterprise')));
    const before = await Promise.all(ctxs.map((ctx) => balanceOf(ctx)));
    const town = new Town(node, ctxs);
    node.worker.start();
    const busy = town.open();
    for (const kill of ['server', 'backend', 'server'] as const) {
      const enough = town.acknowledged.length + 60;
      await eventually('work goes on', () => town.acknowledged.length >= enough, { deadline_ms: 60_000 });
      await (kill === 'server' ? server.kill() : server.killBackend());
      // Nothing can be acknowledged between the kill and this line.
      const known = [...town.acknowledged];
      await server.back();
      expect(await missing(server, known), `after the kill of a ${kill}`).toEqual([]);
    }
    town.close();
    await busy;
    expect(town.cutOff, 'clients that had to ask again').toBeGreaterThan(0);

    expect(await missing(server, town.acknowledged)).toEqual([]);
    expect(await disagreeing(server)).toEqual([]);
    for (const [place, ctx] of ctxs.entries()) {
      const charges = town.of(ctx, 'charge') * charge_micro;
      const fees = town.of(ctx, 'run') * fee_micro;
      expect(await balanceOf(ctx)).toEqual({
        balance_micro: (before[place]?.balance_micro ?? 0n) - charges - fees,
        held_micro: 0n,
        debt_micro: 0n,
        overage_micro: 0n,
      });
    }
    expect(await checkBooks({ platform: node.platform })).toEqual([]);
    expect(await checkRunLog(node.platform)).toEqual([]);
  }, 180_000);
}

const balanceOf = (ctx: Ctx): ReturnType<typeof readBalance> => readBalance({ ctx, input: {} });

/** Clients that go on whatever happens: each asks again, with the same key, until it is answered. */
class Town {
  readonly acknowledged: Acknowledged[] = [];
  cutOff = 0;
  readonly #node: AgentsNode;
  readonly #ctxs: readonly Ctx[];
  #closing = false;

  constructor(node: AgentsNode, ctxs: readonly Ctx[]) {
    this.#node = node;
    this.#ctxs = ctxs;
  }

  open(): Promise<unknown> {
    return Promise.all(
      this.#ctxs.flatMap((ctx) => [
        ...Array.from({ length: chargers }, () => this.#repeat(() => this.#charge(ctx))),
        ...Array.from({ length: runners }, () => this.#repeat(() => this.#run(ctx))),
      ]),
    );
  }

  /** What has begun is finished. */
  close(): void {
    this.#closing = true;
  }

  of(ctx: Ctx, kind: Acknowledged['kind']): bigint {
    return BigInt(this.acknowledged.filter((each) => each.ctx === ctx && each.kind === kind).length);
  }

  async #repeat(work: () => Promise<void>): Promise<void> {
    while (!this.#closing) await work();
  }

  /** Thread, message, hold and settlement in one transaction; the same ids again change nothing. */
  async #charge(ctx: Ctx): Promise<void> {
    const { org_id, user_id } = ctx.principal;
    const [thread, message, hold] = [randomUUID(), randomUUID(), randomUUID()];
    const statements = [
      {
        text: 'insert into netra.thread (org_id, thread_id, user_id) values ($1, $2, $3) on conflict do nothing',
        values: [org_id, thread, user_id],
      },
      {
        text: `insert into netra.message (org_id, thread_id, message_id, run_id, author, content)
          values ($1, $2, $3, $4, 'user', '"text"') on conflict do nothing`,
        values: [org_id, thread, message, hold],
      },
      {
        text: `select netra.place_hold($1, $2, $3, 'charge', null, null, $4)`,
        values: [org_id, hold, charge_micro * 2n, hold],
      },
      { text: `select netra.settle_hold($1, $2, $3, 'charge', $4)`, values: [org_id, hold, charge_micro, hold] },
    ];
    await this.#insist(() =>
      this.#node.platform.postgres.inOrg(org_id, async (tx) => {
        for (const statement of statements) await tx.rows(statement);
      }),
    );
    this.acknowledged.push({ kind: 'charge', ctx, thread, hold });
  }

  /** A run, from admission to its end. */
  async #run(ctx: Ctx): Promise<void> {
    const input = { agent: 'rehearsal', input: rehearsal, idempotency_key: randomUUID() };
    const { run } = await this.#insist(() => admitRun({ ctx, input }));
    this.acknowledged.push({ kind: 'run', ctx, run });
    const last = async (): Promise<string | undefined> => (await this.#node.log(ctx, run)).at(-1)?.type;
    const patience = { deadline_ms: 60_000, every_ms: 50 };
    await eventually(`the end of run ${run}`, async () => (await last()) === 'agent_completed', patience);
  }

  async #insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NetraError && error.code === 'unavailable')) throw error;
        this.cutOff += 1;
        await sleep(50);
      }
    }
  }
}

/** What of the acknowledged is not there, or is there in part. */
async function missing(server: OwnPostgres, known: readonly Acknowledged[]): Promise<readonly string[]> {
  const charges = known.flatMap((each) => (each.kind === 'charge' ? [each] : []));
  const runs = known.flatMap((each) => (each.kind === 'run' ? [each] : []));
  const charged = `select c.hold as lost from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as c (org_id, thread, hold)
    where (select count(*) from netra.thread t where t.org_id = c.org_id and t.thread_id = c.thread) <> 1
      or (select count(*) from netra.message m where m.org_id = c.org_id and m.thread_id = c.thread) <> 1
      or not exists (select from netra.hold h where h.org_id = c.org_id and h.hold_id = c.hold
                        and h.state = 'settled' and h.spent_micro = $4)
      or (select array_agg(t.kind order by t.kind) from netra.transfer t where t.org_id = c.org_id
             and t.hold_id = c.hold) is distinct from array['hold', 'settle']`;
  const admitted = `select c.run as lost from unnest($1::uuid[], $2::uuid[]) as c (org_id, run)
    where not exists (select from netra.run r join netra.hold h using (org_id, hold_id)
                        join netra.thread t using (org_id, thread_id)
                        join netra.message m on m.org_id = r.org_id and m.run_id = r.run_id and m.author = 'user'
                        join netra.event e on e.org_id = r.org_id and e.run_id = r.run_id and e.seq = 1
                       where r.org_id = c.org_id and r.run_id = c.run)`;
  const org = ({ ctx }: Acknowledged): string => ctx.principal.org_id;
  return withOwner(server.postgres_url, async (client) => {
    const values = [charges.map(org), charges.map(({ thread }) => thread), charges.map(({ hold }) => hold)];
    const lost = await client.query<{ lost: string }>(charged, [...values, charge_micro]);
    const gone = await client.query<{ lost: string }>(admitted, [runs.map(org), runs.map(({ run }) => run)]);
    return [...lost.rows, ...gone.rows].map((row) => row.lost);
  });
}

/** Ended runs whose log, hold, settlement and outbox row do not say the same; and holds that nobody ended. */
async function disagreeing(server: OwnPostgres): Promise<readonly unknown[]> {
  const text = `select r.run_id, r.state, e.type, e.data -> 'credits' as receipt, h.*, s.requested_micro
    from netra.run r
    left join netra.event e on e.org_id = r.org_id and e.run_id = r.run_id and e.seq = r.last_seq
    left join netra.hold h on h.org_id = r.org_id and h.hold_id = r.hold_id
    left join netra.transfer s on s.org_id = r.org_id and s.hold_id = r.hold_id and s.kind = 'settle'
    left join netra.outbox o on o.org_id = r.org_id and o.event_id = r.hold_id and o.kind = 'charge'
    where (r.state, e.type, h.state, h.spent_micro, s.requested_micro)
          is distinct from ('completed', 'agent_completed', 'settled', $1, $1)
      or (e.data -> 'credits' ->> 'spent_micro', e.data -> 'credits' ->> 'held_micro', o.payload ->> 'amount_micro')
          is distinct from (h.spent_micro::text, h.held_micro::text, h.spent_micro::text)
      or r.last_seq <> (select count(*) from netra.event x where x.org_id = r.org_id and x.run_id = r.run_id)
    union all
    select h.run_id, 'no run', null, null, h.*, null from netra.hold h where h.state = 'active'`;
  return withOwner(server.postgres_url, async (client) => (await client.query<object>(text, [fee_micro])).rows);
}
