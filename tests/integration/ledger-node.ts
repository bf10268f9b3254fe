import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withOwner, type Suite } from '@netra/testkit';
import { grantCredits } from '../../server/ledger/index.ts';
import { loadConfig, openPlatform, type Ctx, type Platform, type Role } from '../../server/platform/index.ts';

/** What the ledger's and plans' verbs stand on: the application's login on the suite's real stores. */
export interface LedgerNode {
  readonly platform: Platform;
  /** A context of a new organisation, with `credits` if any are given. */
  newOrg(credits?: bigint): Promise<Ctx>;
  as(ctx: Ctx, role: Role): Ctx;
  /** As the owner of the schema: to look behind row-level security, or to set the stage. */
  owner<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** One credit in micro-credits. */
export const credit = 1_000_000n;

/** Opens the stores as netra_app; closed with the suite. */
export async function openLedger(on: Suite): Promise<LedgerNode> {
  const data = await mkdtemp(join(tmpdir(), 'netra-ledger-'));
  const secret = 'only for tests: 32 bytes and then some more';
  const env = { ...on.env, NETRA_DATA: data, NETRA_SECRET: secret, NETRA_LOG_LEVEL: 'error' };
  const platform = await openPlatform({ config: loadConfig({ env }), urls: on.stores, role: 'app' });
  on.onEnd(async () => {
    await platform.close();
    await rm(data, { recursive: true, force: true });
  });
  const owner: LedgerNode['owner'] = <Row extends object>(text: string, values: readonly unknown[] = []) =>
    withOwner(on.stores.postgres_url, async (client) => (await client.query<Row>(text, [...values])).rows);
  return {
    platform,
    owner,
    as: (ctx, role) => ({ ...ctx, principal: { ...ctx.principal, role } }),
    async newOrg(credits = 0n) {
      const org_id = randomUUID();
      const text = 'insert into netra.org (org_id, name) values ($1, $2)';
      await platform.postgres.inOrg(org_id, (tx) => tx.rows({ text, values: [org_id, 'ledger'] }));
      const ctx: Ctx = {
        platform,
        trace_id: randomUUID(),
        principal: { org_id, user_id: randomUUID(), role: 'owner', kind: 'user', expires_at_ms: null },
      };
      if (credits > 0n) {
        const input = { amount_micro: credits * credit, source: 'adjustment', reason: 'test', key: 'start' } as const;
        await grantCredits({ ctx, input });
      }
      return ctx;
    },
  };
}
