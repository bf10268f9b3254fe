import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@netra/testkit';
import type { Path } from './fault-path.ts';
import { isGone, type Stage, type StagedNode } from './fault-stage.ts';

/** What shows that a fault has landed. Asked once all runs have ended; a fault that did not land proves nothing. */
export interface Proof {
  readonly what: string;
  readonly holds: () => boolean | Promise<boolean>;
}

/** A way to break the stage. `strike` breaks it and mends what the runs need to end; the rest is mended after them. */
export interface FaultKind {
  readonly name: string;
  readonly strike: (stage: Stage, random: () => number) => Promise<readonly Proof[]>;
}

/** A node with runs in its hands, and which they are. */
interface Producer {
  readonly node: StagedNode;
  readonly runs: readonly string[];
}

async function runsOf(stage: Stage, { pid }: StagedNode): Promise<readonly string[]> {
  const text = `select run_id from netra.run where state = 'running' and lease_node like '%-' || $1::int || '-%'`;
  return (await stage.rows<{ run_id: string }>(text, [pid])).map(({ run_id }) => run_id);
}

/** The worker that has the most in its hands; runs may still wait to be taken up. */
function producerOf(stage: Stage): Promise<Producer> {
  return eventually('some node works', async () => {
    const all = await Promise.all(stage.working.map(async (node) => ({ node, runs: await runsOf(stage, node) })));
    const [most] = all.toSorted((a, b) => b.runs.length - a.runs.length);
    return most !== undefined && most.runs.length > 0 ? most : null;
  });
}

/** R2: a run that was in the hands of the node has been taken from it. */
function takenOver(stage: Stage, { node, runs }: Producer): Proof {
  const text = 'select 1 as one from netra.run where run_id = any($1) and attempt > 1';
  return {
    what: `runs of ${node.name} were taken over`,
    holds: async () => (await stage.rows(text, [runs])).length > 0,
  };
}

async function takeOver(stage: Stage, { node }: Producer): Promise<void> {
  await eventually(`${node.name} has lost its runs`, async () => (await runsOf(stage, node)).length === 0, {
    deadline_ms: 30_000,
  });
}

function logged(node: StagedNode, text: string): Proof {
  const before = count(node.log(), text);
  return { what: `${node.name} says: ${text}`, holds: () => count(node.log(), text) > before };
}

function count(log: string, text: string): number {
  return log.split(text).length - 1;
}

/** That processes are gone, by their old ids: their successors have others. */
function ended(...nodes: readonly StagedNode[]): Proof[] {
  return nodes.map(({ name, pid }) => ({ what: `process ${pid} of ${name} is gone`, holds: () => isGone(pid) }));
}

function counted(path: Path, which: 'cut' | 'touched'): Proof {
  const before = path.counts()[which];
  return { what: `the proxy has ${which} something`, holds: () => path.counts()[which] > before };
}

const workerKilled: FaultKind = {
  name: 'the node that works is killed',
  async strike(stage) {
    const producer = await producerOf(stage);
    const proofs = [...ended(producer.node), takenOver(stage, producer)];
    await producer.node.kill();
    const killed_ms = performance.now();
    await takeOver(stage, producer);
    const took_ms = Math.round(performance.now() - killed_ms);
    console.log(`taken over ${took_ms} ms after the kill, with a lease of ${stage.env['NETRA_LEASE_MS']} ms`);
    return proofs;
  },
};

const serverKilled: FaultKind = {
  name: 'the node that serves is killed, and comes back',
  async strike({ serving, sockets }) {
    const { opened } = sockets.counts();
    const proofs = ended(serving);
    await serving.kill();
    await serving.start();
    return [...proofs, { what: 'clients came back', holds: () => sockets.counts().opened > opened }];
  },
};

const bothKilled: FaultKind = {
  name: 'both are killed at once',
  async strike(stage) {
    const { serving } = stage;
    const producer = await producerOf(stage);
    const proofs = [...ended(serving, producer.node), takenOver(stage, producer)];
    await Promise.all([serving.kill(), producer.node.kill()]);
    await serving.start();
    return proofs;
  },
};

const workerStopped: FaultKind = {
  name: 'the node that works sleeps past its lease, and wakes',
  async strike(stage) {
    const producer = await producerOf(stage);
    const { node } = producer;
    const proofs = [takenOver(stage, producer), logged(node, 'write refused: the lease is gone')];
    process.kill(node.pid, 'SIGSTOP');
    try {
      await takeOver(stage, producer);
    } finally {
      process.kill(node.pid, 'SIGCONT');
    }
    return proofs;
  },
};

const redisKilled: FaultKind = {
  name: 'Redis is killed',
  async strike(stage) {
    const nodes = [stage.serving, ...stage.working];
    const told = nodes.map((node) => logged(node, 'redis cannot be reached'));
    const pid = await stage.killRedis();
    return [{ what: `process ${pid} is gone`, holds: () => isGone(pid) }, ...told];
  },
};

const startedAt = 'select pg_postmaster_start_time()::text as at';

const postgresKilled: FaultKind = {
  name: 'PostgreSQL is killed, and comes back',
  async strike(stage) {
    const [before] = await stage.rows<{ at: string }>(startedAt);
    await stage.postgres.kill();
    await stage.postgres.back();
    const holds = async (): Promise<boolean> => (await stage.rows<{ at: string }>(startedAt))[0]?.at !== before?.at;
    return [{ what: 'PostgreSQL was started anew', holds }];
  },
};

const backendKilled: FaultKind = {
  name: 'a process of PostgreSQL is killed, and it drops all connections',
  async strike(stage) {
    const { node } = await producerOf(stage);
    const proof = logged(node, 'connection lost');
    await stage.postgres.killBackend();
    await stage.postgres.back();
    return [proof];
  },
};

type Damage = 'cut' | 'swallow' | 'slow' | 'reset';
const damages: Readonly<Record<Damage, { readonly does: string; readonly counts: 'cut' | 'touched' }>> = {
  cut: { does: 'is cut', counts: 'cut' },
  swallow: { does: 'swallows everything', counts: 'touched' },
  slow: { does: 'is slow', counts: 'touched' },
  reset: { does: 'resets', counts: 'cut' },
};

function harm(path: Path, damage: Damage, random: () => number): Promise<void> {
  return damage === 'slow' ? path.slow(10 + Math.floor(30 * random())) : path[damage]();
}

/** The path of the working node to PostgreSQL; one that carries nothing stays so until the runs are elsewhere. */
function workersPath(damage: Damage): FaultKind {
  const { does, counts } = damages[damage];
  return {
    name: `the path from the node that works to PostgreSQL ${does}`,
    async strike(stage, random) {
      const producer = await producerOf(stage);
      const path = producer.node.postgres;
      const proof = counted(path, counts);
      await harm(path, damage, random);
      if (damage === 'slow') return [proof];
      if (damage === 'reset') await passing(path, random);
      else await takeOver(stage, producer);
      await path.mend();
      return damage === 'reset' ? [proof] : [proof, takenOver(stage, producer)];
    },
  };
}

/** Any other path: bad for a while. */
function path(name: string, of: (stage: Stage) => Path, damage: Damage): FaultKind {
  const { does, counts } = damages[damage];
  return {
    name: `the path ${name} ${does}`,
    async strike(stage, random) {
      const proof = counted(of(stage), counts);
      await harm(of(stage), damage, random);
      if (damage === 'slow') return [proof];
      await passing(of(stage), random);
      await of(stage).mend();
      return [proof];
    },
  };
}

/** How long a fault lasts that heals by itself: around the length of a lease. */
async function passing(_: Path, random: () => number): Promise<void> {
  await sleep(200 + 1_000 * random());
}

/** Every kind of fault that the fault runs know. */
export const kinds: readonly FaultKind[] = [
  workerKilled,
  serverKilled,
  bothKilled,
  workerStopped,
  redisKilled,
  postgresKilled,
  backendKilled,
  workersPath('cut'),
  workersPath('swallow'),
  workersPath('slow'),
  workersPath('reset'),
  path('from the node that serves to PostgreSQL', ({ serving }) => serving.postgres, 'cut'),
  path('to Redis', ({ redis }) => redis, 'swallow'),
  path('of the clients', ({ sockets }) => sockets, 'cut'),
  path('of the clients', ({ sockets }) => sockets, 'slow'),
  path('of the clients', ({ sockets }) => sockets, 'reset'),
];
