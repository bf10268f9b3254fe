import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewEvent, RunEvent } from '@netra/contract';
import { eventually, withOwner, type Suite } from '@netra/testkit';
import { admitRun, executeRun } from '../../server/agents/index.ts';
import { subscribe } from '../../server/plans/index.ts';
import { loadConfig, openPlatform, type Ctx, type Platform } from '../../server/platform/index.ts';
import { readEvents } from '../../server/runs/index.ts';
import { createWorker, type Worker } from '../../server/work/index.ts';

/** One node of an installation: its stores' connections and its worker. */
export interface AgentsNode {
  readonly platform: Platform;
  readonly worker: Worker;
  as(org_id: string): Ctx;
  /** A context of a new organisation on the plan. */
  newOrg(plan: string): Promise<Ctx>;
  /** Asks for a run; it is executed by whichever node claims it. */
  ask(ctx: Ctx, agent: string, input: unknown): Promise<string>;
  /** The whole log of a run, once it has ended. */
  ended(ctx: Ctx, run: string): Promise<readonly RunEvent[]>;
  log(ctx: Ctx, run: string): Promise<readonly RunEvent[]>;
}

/** Opens a node on the suite's real stores, its worker not started yet; closed with the suite. */
export async function openAgents(on: Suite, settings: Readonly<Record<string, string>> = {}): Promise<AgentsNode> {
  const data = await mkdtemp(join(tmpdir(), 'netra-agents-'));
  const secret = 'only for tests: 32 bytes and then some more';
  const env = { ...on.env, NETRA_DATA: data, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'fatal', ...settings };
  const platform = await openPlatform({ config: loadConfig({ env }), urls: on.stores, role: 'app' });
  const worker = createWorker({
    platform,
    capacity: 64,
    execute: (claim, signal) => executeRun({ platform, claim, signal }),
  });
  on.onEnd(async () => {
    await worker.stop();
    await platform.close();
    await rm(data, { recursive: true, force: true });
  });
  const as = (org_id: string): Ctx => ({
    platform,
    trace_id: randomUUID(),
    principal: { org_id, user_id: randomUUID(), role: 'owner', kind: 'user', expires_at_ms: null },
  });
  const log: AgentsNode['log'] = async (ctx, run) =>
    (await readEvents({ ctx, input: { run, after: 0, limit: 1_000 } })).events;
  return {
    platform,
    worker,
    as,
    log,
    async newOrg(plan) {
      const ctx = as(randomUUID());
      await withOwner(on.stores.postgres_url, (client) =>
        client.query('insert into netra.org (org_id, name) values ($1, $2)', [ctx.principal.org_id, 'agents']),
      );
      await subscribe({ ctx, input: { plan } });
      return ctx;
    },
    async ask(ctx, agent, input) {
      return (await admitRun({ ctx, input: { agent, input, idempotency_key: randomUUID() } })).run;
    },
    ended: (ctx, run) =>
      eventually(`the end of run ${run}`, async () => {
        const events = await log(ctx, run);
        return isEnd(events.at(-1)) ? events : null;
      }),
  };
}

function isEnd(event: RunEvent | undefined): boolean {
  return event !== undefined && ['agent_completed', 'agent_failed', 'agent_cancelled'].includes(event.type);
}

/** The events of one type, narrowed. */
export function only<T extends NewEvent['type']>(events: readonly RunEvent[], type: T) {
  return events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);
}
