import { quantile, rate } from './rate.ts';
import type { BenchHouse } from './start-house.ts';
import { SocketUser, type RunTimes } from './socket-user.ts';

export interface RunFigures {
  readonly runs_per_second: number;
  readonly first_event_p50_ms: number;
  readonly first_event_p99_ms: number;
  readonly complete_p50_ms: number;
  readonly complete_p99_ms: number;
}

export interface RunLoad {
  readonly users: number;
  readonly seconds: number;
}

/** Complete two-step rehearsal runs over sockets: each user, in an organisation of their own, runs one after another. */
export async function measureRuns(house: BenchHouse, { users, seconds }: RunLoad): Promise<RunFigures> {
  const sockets = await connectUsers(house, users);
  try {
    await drive(sockets, 2);
    return await runFor(sockets, seconds);
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** The same, by users who are connected. */
export async function runFor(sockets: readonly SocketUser[], seconds: number): Promise<RunFigures> {
  const started = performance.now();
  const times = await drive(sockets, seconds);
  const elapsed_s = (performance.now() - started) / 1000;
  return {
    runs_per_second: times.length / elapsed_s,
    first_event_p50_ms: quantile(times, (time) => time.first_event_ms, 0.5),
    first_event_p99_ms: quantile(times, (time) => time.first_event_ms, 0.99),
    complete_p50_ms: quantile(times, (time) => time.complete_ms, 0.5),
    complete_p99_ms: quantile(times, (time) => time.complete_ms, 0.99),
  };
}

export async function connectUsers(house: BenchHouse, users: number): Promise<SocketUser[]> {
  const sockets: SocketUser[] = [];
  // Eight at a time: a sign-up is mostly the hashing of a password.
  await rate(users, Math.min(8, users), async (number) => {
    const { token } = await house.user(number);
    sockets.push(await SocketUser.connect(house.ws, token));
  });
  return sockets;
}

async function drive(sockets: readonly SocketUser[], seconds: number): Promise<RunTimes[]> {
  const until = performance.now() + seconds * 1000;
  const times: RunTimes[] = [];
  const loop = async (socket: SocketUser): Promise<void> => {
    while (performance.now() < until) times.push(await socket.run({ steps: 2 }));
  };
  await Promise.all(sockets.map(loop));
  return times;
}
