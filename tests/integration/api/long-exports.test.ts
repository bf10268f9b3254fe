/**
 * Segment: operators of an installation, and users who take their data along
 * Goal: a thread of very many events is exported whole while the server holds a page of it, however slow the reader
 * Value: whoever takes everything along does not take the node down
 * Strategic impact: "you may leave with all of it" is true for the largest customer too
 *
 * A server process of its own, measured by the kernel.
 * Planted bugs that turn this red: collect all of a run's lines before the first is sent; write without waiting for the
 * reader.
 */
import { createClient } from '@netra/client';
import {
  createAccount,
  peakMemory_bytes,
  startServer,
  suite,
  withOwner,
  type TestAccount,
  type TestServer,
} from '@netra/testkit';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { beforeAll, expect, test } from 'vitest';

const own = suite();
/** Garbage is collected early, and who keeps a text of 120 MiB as strings is at the end of it. */
const small_heap = ['--max-old-space-size=112', '--max-semi-space-size=4'];
let server: TestServer;
let account: TestAccount;

beforeAll(async () => {
  server = await startServer({ env: own.env, node_args: small_heap });
  own.onEnd(() => server.kill());
  account = await createAccount({ env: own.env, plan: 'enterprise' });
}, 120_000);

const events = 60_000;
const text_bytes = 1_800;
/** Of two texts of 120 MiB. A server that streams holds 256 lines of each, and its garbage. */
const bound_bytes = 80 * 1024 * 1024;

/** No run of the rehearsal agent is that long: text is put between the first events of an ended one and its last. */
async function lengthen(run: string): Promise<void> {
  await withOwner(own.stores.postgres_url, async (client) => {
    await client.query('begin; set local session_replication_role = replica');
    await client.query(
      `update netra.event e set seq = $2 from netra.run r
        where r.run_id = $1 and e.org_id = r.org_id and e.run_id = r.run_id and e.seq = r.last_seq`,
      [run, events],
    );
    await client.query(
      `insert into netra.event (org_id, run_id, seq, at, type, data)
       select r.org_id, r.run_id, s.seq, r.created_at, 'agent_thinking', jsonb_build_object('text', rpad(s.seq || ' ', $3, '.'))
         from netra.run r, generate_series(r.last_seq, $2::int - 1) as s (seq) where r.run_id = $1`,
      [run, events, text_bytes],
    );
    await client.query('update netra.run set last_seq = $2 where run_id = $1', [run, events]);
    await client.query('commit');
  });
}

/** A reader that takes the head of the answer and nothing more, until it is told to. */
async function beginExport(thread: string): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${account.token}` };
  const request = get(`${server.url}/v1/threads/${thread}/export`, { headers, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  return answer;
}

async function readOn(answer: IncomingMessage): Promise<{ lines: number; last: unknown }> {
  let lines = 0;
  let end = Buffer.alloc(0);
  for await (const piece of answer as AsyncIterable<Buffer>) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines += 1;
    end = Buffer.concat([end, piece]).subarray(-200);
  }
  return { lines, last: JSON.parse(end.toString().trimEnd().split('\n').at(-1) ?? '') };
}

test('sixty thousand events are exported whole, to quick readers and slow ones, in bounded memory', async () => {
  const client = createClient({ url: server.url, token: account.token });
  own.onEnd(() => client.close());
  const { thread } = await client.createThread();
  const handle = await client.run({ thread, agent: 'rehearsal', input: { steps: 1 } });
  await handle.finished();
  // What an export costs, however short.
  await Array.fromAsync(client.exportThread(thread));
  await lengthen(handle.run);
  const before_bytes = await peakMemory_bytes(server.pid);

  const slow = await beginExport(thread);
  let seq = 0;
  let others = 0;
  for await (const line of client.exportThread(thread)) {
    if (line.type !== 'event') others += 1;
    else if (line['seq'] === seq + 1) seq += 1;
    else throw new Error(`${String(line['seq'])} after ${seq}`);
  }
  expect(seq).toBe(events);

  const whole = { lines: events + others, last: { type: 'end', messages: 2, runs: 1, events } };
  expect(await readOn(slow)).toEqual(whole);
  expect((await peakMemory_bytes(server.pid)) - before_bytes).toBeLessThan(bound_bytes);
}, 90_000);
