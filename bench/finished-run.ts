import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { BenchHouse } from './start-house.ts';
import { SocketUser } from './socket-user.ts';

export interface FinishedRun {
  readonly org_id: string;
  readonly run: string;
  readonly token: string;
}

/**
 * A run that has ended with `events` events. No run of the rehearsal agent is that long, so the log of an ordinary one
 * is copied, with text between its first events and its last. A copy: the house keeps the ends of its own in memory.
 */
export async function finishedRun(house: BenchHouse, events: number): Promise<FinishedRun> {
  const { token } = await house.signUp();
  const user = await SocketUser.connect(house.ws, token);
  const made = await user.run({ steps: 2 });
  user.close();
  const run = randomUUID();
  const client = new Client({ connectionString: house.postgres_url });
  await client.connect();
  try {
    await client.query('begin; set local session_replication_role = replica');
    for (const text of copied) await client.query(text, [made.run, run, events]);
    const found = await client.query<{ org_id: string }>('select org_id from netra.run where run_id = $1', [run]);
    await client.query('commit; analyze netra.event');
    return { org_id: found.rows[0]?.org_id ?? '', run, token };
  } finally {
    await client.end();
  }
}

const copied = [
  `insert into netra.run
   select (jsonb_populate_record(null::netra.run, to_jsonb(r) || jsonb_build_object(
     'run_id', $2::uuid, 'last_seq', $3::int, 'idempotency_key', $2::text, 'hold_id', gen_random_uuid()))).*
     from netra.run r where r.run_id = $1`,
  `insert into netra.event (org_id, run_id, seq, at, type, data)
   select e.org_id, $2, case when e.seq = r.last_seq then $3 else e.seq end, e.at, e.type, e.data
     from netra.run r join netra.event e using (org_id, run_id) where r.run_id = $1`,
  `insert into netra.event (org_id, run_id, seq, at, type, data)
   select r.org_id, $2, s.seq, r.created_at, 'agent_thinking', jsonb_build_object('text', rpad(s.seq || ' ', 64, '.'))
     from netra.run r, generate_series(r.last_seq, $3::int - 1) as s (seq) where r.run_id = $1`,
];
