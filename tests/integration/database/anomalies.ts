import { eventually } from '@netra/testkit';
import { Client, DatabaseError } from 'pg';

/** The three levels that PostgreSQL has: it runs `read uncommitted` as `read committed`. */
export const levels = ['read committed', 'repeatable read', 'serializable'] as const;
export type Level = (typeof levels)[number];

/** One transaction of a schedule, on a connection of its own. */
export interface Actor {
  /** The values that a query gives, or null once the transaction was ended by a serialization failure. */
  read(text: string): Promise<readonly number[] | null>;
  /** False if the transaction is ended by a serialization failure, now or before. */
  write(text: string): Promise<boolean>;
  /** Starts a write that has to wait for another transaction; resolves once it waits, or is done. */
  startWrite(text: string): Promise<{ readonly done: Promise<boolean> }>;
  commit(): Promise<boolean>;
  rollback(): Promise<void>;
}

type Schedule = (t1: Actor, t2: Actor, t3: Actor) => Promise<boolean>;

/** A phenomenon of Hermitage (github.com/ept/hermitage), as a schedule that tells whether it occurred. */
export interface Anomaly {
  readonly id: string;
  readonly name: string;
  /** The levels at which PostgreSQL lets it happen; its manual, table 13.1, and Hermitage's results. */
  readonly occurs_at: readonly Level[];
  readonly schedule: Schedule;
}

const serializationFailure = '40001';

/** Runs the schedule at `level` on a fresh table of two rows, 1 → 10 and 2 → 20. */
export async function play(url: string, level: Level, { schedule }: Anomaly): Promise<boolean> {
  const clients = [1, 2, 3, 4].map(() => new Client({ connectionString: url }));
  const [one, two, three, watcher] = clients as [Client, Client, Client, Client];
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await watcher.query('drop table if exists test; create table test (id int primary key, value int not null)');
    await watcher.query('insert into test values (1, 10), (2, 20)');
    const [t1, t2, t3] = await Promise.all([one, two, three].map((client) => actor(client, watcher, level)));
    if (!t1 || !t2 || !t3) throw new Error('three actors');
    return await schedule(t1, t2, t3);
  } finally {
    await Promise.all([one, two, three].map((client) => client.query('rollback').catch(() => undefined)));
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function actor(client: Client, watcher: Client, level: Level): Promise<Actor> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  await client.query(`begin isolation level ${level}`);
  let failed = false;
  const run = async (text: string): Promise<readonly number[] | null> => {
    if (failed) return null;
    try {
      const result = await client.query<{ value: number }>(text);
      return result.rows.map(({ value }) => value);
    } catch (error) {
      // Any other error is a fault of the test, not an outcome.
      if (!(error instanceof DatabaseError) || error.code !== serializationFailure) throw error;
      failed = true;
      return null;
    }
  };
  const write = async (text: string): Promise<boolean> => (await run(text)) !== null;
  const waits = async (): Promise<boolean> => {
    const text = `select wait_event_type = 'Lock' as waits from pg_stat_activity where pid = $1`;
    return (await watcher.query<{ waits: boolean }>(text, [rows[0]?.pid])).rows[0]?.waits === true;
  };
  return {
    read: run,
    write,
    async startWrite(text) {
      let settled = false;
      const done = write(text).finally(() => {
        settled = true;
      });
      await eventually(`${text} waits`, async () => settled || (await waits()));
      return { done };
    },
    commit: async () => (await write('commit')) && !failed,
    rollback: async () => void (await client.query('rollback')),
  };
}

const value = (id: number): string => `select value from test where id = ${id}`;
const both = 'select value from test order by id';
const set = (id: number, to: number): string => `update test set value = ${to} where id = ${id}`;
const divisible = 'select value from test where value % 3 = 0 order by id';

const never: readonly Level[] = [];
const committedOnly: readonly Level[] = ['read committed'];
const belowSerializable: readonly Level[] = ['read committed', 'repeatable read'];

async function dirtyWrite(t1: Actor, t2: Actor, t3: Actor): Promise<boolean> {
  await t1.write(set(1, 11));
  const writing = await t2.startWrite(set(1, 12));
  await t1.write(set(2, 21));
  await t1.commit();
  await writing.done;
  await t2.write(set(2, 22));
  await t2.commit();
  const [first, second] = (await t3.read(both)) ?? [];
  return (first === 11) !== (second === 21);
}

async function abortedRead(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.write(set(1, 101));
  const before = await t2.read(value(1));
  await t1.rollback();
  const after = await t2.read(value(1));
  return [before, after].some((seen) => seen?.[0] === 101);
}

async function intermediateRead(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.write(set(1, 101));
  const before = await t2.read(value(1));
  await t1.write(set(1, 11));
  await t1.commit();
  const after = await t2.read(value(1));
  return [before, after].some((seen) => seen?.[0] === 101);
}

async function circularFlow(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.write(set(1, 11));
  await t2.write(set(2, 22));
  const [by1] = (await t1.read(value(2))) ?? [];
  const [by2] = (await t2.read(value(1))) ?? [];
  await t1.commit();
  await t2.commit();
  return by1 === 22 && by2 === 11;
}

async function observedVanishes(t1: Actor, t2: Actor, t3: Actor): Promise<boolean> {
  await t1.write(set(1, 11));
  await t1.write(set(2, 19));
  const writing = await t2.startWrite(set(1, 12));
  await t1.commit();
  await writing.done;
  const seen: (readonly number[] | null)[] = [await t3.read(value(1))];
  await t2.write(set(2, 18));
  seen.push(await t3.read(value(2)));
  await t2.commit();
  seen.push(await t3.read(value(2)), await t3.read(value(1)));
  const [first1, first2, then2, then1] = seen.map((row) => row?.[0]);
  // Having seen what T2 wrote, T3 may not see T1's older value beside it.
  return (first1 === 12 && first2 === 19) || (then2 === 18 && then1 === 11);
}

async function manyPreceders(t1: Actor, t2: Actor): Promise<boolean> {
  const before = await t1.read('select value from test where value = 30');
  await t2.write('insert into test values (3, 30)');
  await t2.commit();
  const after = await t1.read(divisible);
  return before?.length === 0 && after?.length === 1;
}

async function lostUpdate(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.read(value(1));
  await t2.read(value(1));
  await t1.write(set(1, 11));
  const writing = await t2.startWrite(set(1, 11));
  const first = await t1.commit();
  await writing.done;
  return first && (await t2.commit());
}

async function readSkew(t1: Actor, t2: Actor): Promise<boolean> {
  const [first] = (await t1.read(value(1))) ?? [];
  await t2.read(both);
  await t2.write(set(1, 12));
  await t2.write(set(2, 18));
  await t2.commit();
  const [second] = (await t1.read(value(2))) ?? [];
  return first === 10 && second === 18;
}

async function writeSkew(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.read(both);
  await t2.read(both);
  await t1.write(set(1, 11));
  await t2.write(set(2, 21));
  return (await t1.commit()) && (await t2.commit());
}

async function predicateSkew(t1: Actor, t2: Actor): Promise<boolean> {
  await t1.read(divisible);
  await t2.read(divisible);
  await t1.write('insert into test values (3, 30)');
  await t2.write('insert into test values (4, 42)');
  return (await t1.commit()) && (await t2.commit());
}

export const anomalies: readonly Anomaly[] = [
  { id: 'G0', name: 'dirty write', occurs_at: never, schedule: dirtyWrite },
  { id: 'G1a', name: 'aborted read', occurs_at: never, schedule: abortedRead },
  { id: 'G1b', name: 'intermediate read', occurs_at: never, schedule: intermediateRead },
  { id: 'G1c', name: 'circular information flow', occurs_at: never, schedule: circularFlow },
  { id: 'OTV', name: 'observed transaction vanishes', occurs_at: never, schedule: observedVanishes },
  { id: 'PMP', name: 'predicate-many-preceders', occurs_at: committedOnly, schedule: manyPreceders },
  { id: 'P4', name: 'lost update', occurs_at: committedOnly, schedule: lostUpdate },
  { id: 'G-single', name: 'read skew', occurs_at: committedOnly, schedule: readSkew },
  { id: 'G2-item', name: 'write skew', occurs_at: belowSerializable, schedule: writeSkew },
  { id: 'G2', name: 'anti-dependency cycle by predicate', occurs_at: belowSerializable, schedule: predicateSkew },
];
