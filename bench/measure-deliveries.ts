import type { WebSocket } from 'ws';
import { bareWs, ours, socketIo, type Audience } from './audience.ts';
import { joinMany } from './measure-idle-sockets.ts';
import { cpuMs } from './process-figures.ts';
import type { BenchHouse } from './start-house.ts';

/** Microseconds of server CPU for each event that reached a socket. */
export interface DeliveryFigures {
  readonly ours: number;
  readonly floor: number;
  readonly peer: number;
}

/** About as many bytes as an event of ours with a delta of this length. */
const delta_bytes = 64;
const steps = 300;

/**
 * One run watched by many sockets, live. What the run itself takes without a watcher (model, log, charges) is measured
 * first and taken off: the floor and the peer have no run. They send as many events, of the same size, to as many.
 */
export async function measureDeliveries(house: BenchHouse, watchers: number): Promise<DeliveryFigures> {
  const audience = await ours(house);
  const alone = await watchRun(audience, 1);
  const watched = await watchRun(audience, watchers);
  const { events, sample } = watched;
  const floor = await emitted(await bareWs(), watchers, events, (count) =>
    JSON.stringify({ emit: count, data: sample }),
  );
  const peer = await emitted(
    await socketIo(),
    watchers,
    events,
    (count) => `42${JSON.stringify(['emit', count, sample])}`,
  );
  const each = (cpu_ms: number): number => (cpu_ms * 1000) / (events * (watchers - 1));
  return { ours: each(watched.cpu_ms - alone.cpu_ms), floor: each(floor), peer: each(peer) };
}

interface Watched {
  readonly cpu_ms: number;
  readonly events: number;
  /** One of the events, as it came. */
  readonly sample: object;
}

async function watchRun(audience: Audience, watchers: number): Promise<Watched> {
  const [first, ...others] = await joinMany(audience, watchers);
  if (!first) throw new Error('a run is watched by one at least');
  const before_ms = cpuMs(audience.pid);
  const input = { steps, deltas: 4, delta_bytes, step_ms: 1 };
  const accepted = answer(first);
  first.send(
    JSON.stringify({
      type: 'run',
      id: 1,
      agent: 'rehearsal',
      input,
      idempotency_key: `watched-${watchers}-${Math.random()}`,
    }),
  );
  const { run, message } = await accepted;
  if (run === undefined) throw new Error(message ?? 'the run was not accepted');
  const seen = await Promise.all([first, ...others].map((ws) => follow(ws, run)));
  const cpu_ms = cpuMs(audience.pid) - before_ms;
  for (const ws of [first, ...others]) ws.terminate();
  return { cpu_ms, events: seen[0]?.events ?? 0, sample: seen[0]?.sample ?? {} };
}

interface Answer {
  readonly type: string;
  readonly run?: string;
  readonly message?: string;
  readonly seq?: number;
}

function answer(ws: WebSocket): Promise<Answer> {
  return new Promise((resolve) => ws.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()) as Answer)));
}

/** Resolves when the run's `end` has come; counts what came, and fails on a gap. */
function follow(ws: WebSocket, run: string): Promise<{ readonly events: number; readonly sample: object }> {
  let events = 0;
  let sample = {};
  return new Promise((resolve, reject) => {
    ws.once('close', (code: number) => reject(new Error(`closed with ${code}`)));
    ws.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Answer;
      if (frame.type === 'end') resolve({ events, sample });
      else if (frame.type === 'error') reject(new Error(frame.message));
      else if (frame.seq !== undefined && frame.type !== 'live') {
        events += 1;
        if (frame.seq !== events) reject(new Error(`event ${frame.seq} came as number ${events}`));
        if (frame.type === 'agent_thinking') sample = frame;
      }
    });
    ws.send(JSON.stringify({ type: 'subscribe', id: 2, run, after: 0 }));
  });
}

/** CPU of the server while it sends `events` to all but one of the sockets, from that one's word on. */
async function emitted(
  audience: Audience,
  watchers: number,
  events: number,
  ask: (count: number) => string,
): Promise<number> {
  try {
    const [first, ...others] = await joinMany(audience, watchers);
    const warm = Promise.all(others.map((ws) => receive(ws, 100)));
    first?.send(ask(100));
    await warm;
    const before_ms = cpuMs(audience.pid);
    const received = Promise.all(others.map((ws) => receive(ws, events)));
    first?.send(ask(events));
    await received;
    return cpuMs(audience.pid) - before_ms;
  } finally {
    await audience.close();
  }
}

/** Parses each, as the client of ours does. */
function receive(ws: WebSocket, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    ws.on('message', function arrived(data: Buffer) {
      const text = data.toString();
      if (text.length < 8) return;
      JSON.parse(text.startsWith('42') ? text.slice(2) : text);
      left -= 1;
      if (left > 0) return;
      ws.off('message', arrived);
      resolve();
    });
  });
}
