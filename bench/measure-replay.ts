import { subprotocol } from '@netra/contract';
import { Client } from 'pg';
import { WebSocket } from 'ws';
import { finishedRun } from './finished-run.ts';
import { inTurn, type Pair } from './rate.ts';
import type { BenchHouse } from './start-house.ts';

const page = 500;

/** Events a second of a long run read from its start over a socket, beside the same rows read in pages by bare `pg`. */
export async function measureReplay(house: BenchHouse, events: number, rounds: number): Promise<Pair> {
  const { org_id, run, token } = await finishedRun(house, events);
  const client = new Client({ connectionString: house.postgres_url });
  await client.connect();
  try {
    return await inTurn(
      rounds,
      () =>
        perSecond(events, async () => {
          const { first, last } = await replay(house.ws, { token, run, after: 0 });
          if (first !== 1 || last !== events) throw new Error(`replayed ${first} to ${last} of ${events}`);
        }),
      () => perSecond(events, () => readPages(client, org_id, run)),
    );
  } finally {
    await client.end();
  }
}

async function perSecond(events: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (events * 1000) / (performance.now() - started);
}

async function readPages(client: Client, org_id: string, run: string): Promise<void> {
  for (let after = 0; ;) {
    const { rows } = await client.query<{ seq: number }>({
      name: 'page',
      text: `select seq, at, type, data from netra.event
              where org_id = $1 and run_id = $2 and seq > $3 order by seq limit ${page}`,
      values: [org_id, run, after],
    });
    const last = rows.at(-1);
    if (!last) return;
    after = last.seq;
  }
}

export interface Replayed {
  /** The first and the last event that came; each one between them did, too. */
  readonly first: number;
  readonly last: number;
  /** From the call to the answer to the sign-in, and to the run's `end`. */
  readonly ready_ms: number;
  readonly end_ms: number;
}

interface Frame {
  readonly type: string;
  readonly seq?: number;
  readonly message?: string;
}

/** Connects, signs in, and reads a finished run from after `after` to its end. Fails on a gap. */
export function replay(
  url: string,
  { token, run, after }: { readonly token: string; readonly run: string; readonly after: number },
): Promise<Replayed> {
  const started = performance.now();
  const since = (): number => performance.now() - started;
  const ws = new WebSocket(url, subprotocol, { perMessageDeflate: false });
  let [next, ready_ms] = [after + 1, 0];
  return new Promise<Replayed>((resolve, reject) => {
    ws.once('error', reject).once('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.once('open', () => {
      ws.send(JSON.stringify({ type: 'hello', token }));
      ws.send(JSON.stringify({ type: 'subscribe', id: 1, run, after }));
    });
    ws.on('message', (data: Buffer) => {
      const { type, seq, message } = JSON.parse(data.toString()) as Frame;
      if (type === 'ready') ready_ms = since();
      else if (type === 'error' || type === 'reset') reject(new Error(message ?? type));
      else if (type === 'end') resolve({ first: after + 1, last: next - 1, ready_ms, end_ms: since() });
      else if (seq === next) next += 1;
      else if (type !== 'subscribed' && type !== 'live') reject(new Error(`event ${seq} where ${next} was due`));
    });
  }).finally(() => ws.terminate());
}
