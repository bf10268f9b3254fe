/**
 * What the run log costs, without sockets and agents: complete two-step rehearsal runs through admission, the group
 * commit and the settlement, and durable appends beside their floor, a bare loop of multi-row inserts.
 *
 *     node bench/sql-run.ts <owner's postgres url> [--runs 4000] [--concurrency 200] [--json]
 *
 * The database must be migrated. It leaves the organisations it made behind: use one that can be dropped.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { admitRun } from '../server/agents/index.ts';
import { loadConfig, openLog, openPlatform, type Ctx, type OpenPlatform } from '../server/platform/index.ts';
import { nodeOf, openJournal, type Claim } from '../server/runs/index.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '4000' },
    concurrency: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const [url] = positionals;
if (url === undefined)
  throw new Error('usage: node bench/sql-run.ts <postgres url> [--runs N] [--concurrency N] [--json]');
const concurrency = Number(options.concurrency);
const text = 'x'.repeat(64);

/** The application's login is not needed to measure: the owner's, in the application's role. */
function inAppRole(owner_url: string): string {
  const as_app = new URL(owner_url);
  as_app.searchParams.set('options', '-c role=netra_app');
  return as_app.href;
}

async function open(postgres_url: string): Promise<OpenPlatform> {
  const config = { ...loadConfig({ env: { NETRA_REHEARSAL: 'on' } }), secret: 'x'.repeat(32) };
  const urls = { postgres_url, postgres_app_url: inAppRole(postgres_url), clickhouse_url: 'http://127.0.0.1:1' };
  return openPlatform({ config, urls, role: 'app', log: openLog({ level: 'error' }) });
}

async function makeOrg(platform: OpenPlatform): Promise<string> {
  const { ids, postgres } = platform;
  const org_id = ids.uuid();
  const insert = { text: 'insert into netra.org (org_id, name) values ($1, $2)', values: [org_id, 'bench'] };
  await postgres.inOrg(org_id, (tx) => tx.rows(insert));
  await postgres.call({ text: 'select netra.subscribe($1, $2, $3)', values: [org_id, ids.uuid(), 'enterprise'] });
  return org_id;
}

async function oneRun(ctx: Ctx, key: string, claimed: Map<string, Claim>): Promise<void> {
  const { run } = await admitRun({ ctx, input: { agent: 'rehearsal', input: { steps: 2 }, idempotency_key: key } });
  const claim = claimed.get(run);
  if (!claim) throw new Error('the run was not seated');
  claimed.delete(run);
  const journal = await openJournal({ platform: ctx.platform, claim });
  for (const call_id of ['1', '2']) {
    await journal.append([
      { type: 'agent_thinking', data: { text } },
      { type: 'tool_executing', data: { call_id, tool: 'hash', input: { text } } },
    ]);
    await journal.append([
      { type: 'tool_completed', data: { call_id, tool: 'hash', ok: true, output: { text }, duration_ms: 0 } },
    ]);
  }
  await journal.finish({
    events: [
      { type: 'agent_message', data: { text } },
      { type: 'credits_charged', data: { amount_micro: '1000000', reason: 'fee', balance_micro: '0' } },
    ],
    event: { type: 'agent_completed', data: { output: { text } } },
    capture_micro: claim.fee_micro,
    usage: [],
  });
}

/** Runs `work` for 0…count-1, at most `width` at once; gives operations per second. */
async function rate(
  count: number,
  width: number,
  work: (index: number, lane: number) => Promise<void>,
): Promise<number> {
  let next = 0;
  const started = performance.now();
  const lane = async (_: unknown, number: number): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index, number);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return (count * 1000) / (performance.now() - started);
}

/** Durable appends of three events by every open run at once: all the group commit can take. */
async function appendRate(ctxs: readonly Ctx[], claimed: Map<string, Claim>, rounds: number): Promise<number> {
  const journals = await Promise.all(
    ctxs.map(async (ctx) => {
      const input = { agent: 'rehearsal', input: null, idempotency_key: ctx.platform.ids.uuid() };
      const { run } = await admitRun({ ctx, input });
      const claim = claimed.get(run);
      if (!claim) throw new Error('the run was not seated');
      return { claim, journal: await openJournal({ platform: ctx.platform, claim }) };
    }),
  );
  const event = { type: 'agent_message', data: { text } } as const;
  const events = [event, event, event];
  const per_second = await rate(rounds * journals.length, journals.length, (_, lane) => {
    const own = journals[lane];
    if (!own) throw new Error('a lane without a run');
    return own.journal.append(events);
  });
  const ending = { type: 'agent_completed', data: { output: null } } as const;
  await Promise.all(journals.map(({ journal }) => journal.finish({ event: ending, capture_micro: 0n, usage: [] })));
  return per_second * events.length;
}

/** The floor: one connection, one multi-row insert after another, of rows like those and as many as a flush has. */
async function floorRate(owner: Client, rows: number, rounds: number): Promise<number> {
  await owner.query('create table netra.floor_event (like netra.event including all)');
  const text_of_insert = `insert into netra.floor_event (org_id, run_id, seq, at, type, data)
    select $1, $2, $3 + i, now(), 'agent_message', d::jsonb from unnest($4::text[]) with ordinality as t(d, i)`;
  const id = '01900000-0000-7000-8000-000000000000';
  const data = Array.from({ length: rows }, () => JSON.stringify({ text }));
  const flushes = await rate(rounds, 1, async (index) => {
    await owner.query({ name: 'floor', text: text_of_insert, values: [id, id, index * rows, data] });
  });
  await owner.query('drop table netra.floor_event');
  return flushes * rows;
}

/** CPU that the server's processes for this database have used; null where they are not on this machine. */
async function serverCpu_ms(owner: Client): Promise<number | null> {
  const { rows } = await owner.query<{ pid: number }>(
    'select pid from pg_stat_activity where datname = current_database()',
  );
  try {
    return rows.reduce((sum, { pid }) => {
      // Fields 14 and 15, counted after the name in brackets: ticks of 10 ms in user and system mode (proc(5)).
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return sum + 10 * (Number(fields[11]) + Number(fields[12]));
    }, 0);
  } catch {
    return null;
  }
}

const platform = await open(url);
const owner = new Client(url);
await owner.connect();
const claimed = new Map<string, Claim>();
nodeOf(platform).worker = {
  reserve: () => ({ take: (claim) => void claimed.set(claim.run_id, claim), leave: () => undefined }),
  cancelRequested: () => undefined,
  queued: () => undefined,
};
const orgs = await Promise.all(Array.from({ length: concurrency }, () => makeOrg(platform)));
const ctxs = orgs.map((org_id): Ctx => {
  const principal = { org_id, user_id: 'bench', role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return { platform, principal, trace_id: 'bench' };
});
const one = (index: number, lane: number): Promise<void> => {
  const ctx = ctxs[lane];
  if (!ctx) throw new Error('a lane without an organisation');
  return oneRun(ctx, `key-${index}`, claimed);
};
await rate(concurrency, concurrency, (index, lane) => one(-1 - index, lane));
const server_before_ms = await serverCpu_ms(owner);
const cpu = process.cpuUsage();
const runs = await rate(Number(options.runs), concurrency, one);
const { user, system } = process.cpuUsage(cpu);
const server_after_ms = await serverCpu_ms(owner);
const server_ms = server_before_ms === null || server_after_ms === null ? null : server_after_ms - server_before_ms;
const appends = await appendRate(ctxs, claimed, 30);
const floor = await floorRate(owner, concurrency * 3, 30);
const figures = {
  runs_per_second: runs,
  node_cpu_ms_per_run: (user + system) / 1000 / Number(options.runs),
  postgres_cpu_ms_per_run: server_ms === null ? Number.NaN : server_ms / Number(options.runs),
  events_per_second: appends,
  floor_events_per_second: floor,
  of_floor: appends / floor,
};
const shown = Object.entries(figures).map(([name, value]) => `${name.padEnd(26)}${value.toFixed(2).padStart(12)}`);
console.log(options.json ? JSON.stringify(figures) : shown.join('\n'));
await owner.end();
await platform.close();
