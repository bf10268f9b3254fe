import { asOwner } from './grown-database.ts';

/**
 * Makes a finished run of two steps of each hold that writeHistory wrote: its thread, messages and log, as the runtime
 * would have left them.
 */
export async function writeRuns(postgres_url: string): Promise<void> {
  await asOwner(
    postgres_url,
    'begin; set local session_replication_role = replica',
    ...statements,
    'commit',
    'analyze',
  );
}

const statements = [
  `create temporary table made on commit drop as
   select org_id, hold_id, gen_random_uuid() as run_id, gen_random_uuid() as thread_id, created_at
     from netra.hold where state = 'settled'`,
  `insert into netra.thread (org_id, thread_id, user_id, created_at)
   select org_id, thread_id, 'history', created_at from made`,
  `insert into netra.run (org_id, run_id, thread_id, user_id, role, agent, model, input, state, last_seq, attempt, hold_id,
     fee_micro, idempotency_key, request_hash, created_at, ended_at)
   select org_id, run_id, thread_id, 'history', 'owner', 'rehearsal', 'rehearsal', '{"steps": 2}', 'completed', 6, 1,
          hold_id, 0, run_id, 'history', created_at, created_at from made`,
  `insert into netra.message (org_id, thread_id, message_id, run_id, author, content, created_at)
   select m.org_id, m.thread_id, gen_random_uuid(), m.run_id, a.author, '"history"', m.created_at
     from made m, unnest(array['user', 'agent']) as a (author)`,
  `insert into netra.event (org_id, run_id, seq, at, type, data)
   select m.org_id, m.run_id, e.seq, m.created_at, e.type, e.data::jsonb
     from made m, (values (1, 'agent_started', '{"agent": "rehearsal", "model": "rehearsal"}'),
       (2, 'agent_thinking', '{"text": "1.1 ............"}'), (3, 'tool_executing', '{"call_id": "c1", "tool": "wait"}'),
       (4, 'tool_completed', '{"call_id": "c1", "tool": "wait", "ok": true}'),
       (5, 'agent_message', '{"text": "2.1 ............"}'), (6, 'agent_completed', '{"output": null}')
     ) as e (seq, type, data)`,
];
