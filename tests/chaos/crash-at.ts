/**
 * Loaded into a real server with `node --import`. Where a plan says so, it ends the process with SIGKILL, at one round
 * trip to PostgreSQL: the server's own code is as it is, and does not know. See docs/decisions/0014.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Client } from 'pg';
import { crashFiles, crashVariable, type CrashPlan } from './crash-plan.ts';

type Query = (this: Client, ...args: unknown[]) => unknown;
type Answer = (...args: unknown[]) => void;

const files = crashFiles(process.env[crashVariable] ?? '.');
/** What a charge waits for, from admission to receipt. Of one alone and of many in a transaction, the name is one. */
const ofCharge = /^(agents\.(?!due|start_due)\w+?|ledger\.(?!read)\w+?|runs\.(?:append_event|finish_run|park_run))s?$/;

let plan: CrashPlan | undefined;
let left = 0;

/** The plan, if this round trip is the one. */
function due(name: string): CrashPlan | undefined {
  if (plan === undefined && existsSync(files.plan)) {
    plan = JSON.parse(readFileSync(files.plan, 'utf8')) as CrashPlan; // written by our own test
    left = plan.nth;
  }
  if (plan?.name !== name) return undefined;
  left -= 1;
  return left === 0 ? plan : undefined;
}

function die(of: CrashPlan): void {
  // Renamed into place: who finds it finds all of it.
  writeFileSync(`${files.crashed}.new`, JSON.stringify(of));
  renameSync(`${files.crashed}.new`, files.crashed);
  process.kill(process.pid, 'SIGKILL');
}

const query = Client.prototype.query as unknown as Query;

const crashing: Query = function crashing(...args) {
  const [statement] = args;
  const named = typeof statement === 'object' && statement !== null && 'name' in statement ? statement.name : '';
  const name = ofCharge.exec(String(named))?.[1];
  if (name === undefined) return query.apply(this, args);
  appendFileSync(files.trace, `${name}\n`);
  const planned = due(name);
  if (planned === undefined) return query.apply(this, args);
  if (planned.moment === 'before') die(planned);
  if (planned.moment === 'answered') return answered(this, args, planned);
  const result = query.apply(this, args);
  die(planned);
  return result;
};

function answered(client: Client, args: readonly unknown[], of: CrashPlan): unknown {
  const told = args.at(-1);
  const dying: Answer = () => die(of);
  if (typeof told === 'function') return query.apply(client, [...args.slice(0, -1), dying]);
  return Promise.resolve(query.apply(client, [...args])).finally(() => die(of));
}

Client.prototype.query = crashing as unknown as typeof Client.prototype.query;
