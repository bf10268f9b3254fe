/**
 * Segment: whoever operates an installation that is paid for.
 * Goal: whatever somebody does to the books by hand, doctor finds it, and names the row and since when.
 * Value: an hour of looking instead of a week, and no quiet theft of credits.
 * Strategic impact: books that show tampering can be audited; only those can be sold from.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createClient } from '@netra/client';
import { createAccount, runServerCommand, startServer, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { faultsOfCharges } from '../../../server/analytics/index.ts';
import { keepPriceBook } from '../../../server/billing/index.ts';
import { faultsOfBooks, openWallet, placeHold } from '../../../server/ledger/index.ts';
import { examineSpending, faultsOfSpending, setSpending } from '../../../server/plans/index.ts';
import { examine, isHealthy } from '../../../server/main/examine.ts';
import { faultsOfLogs } from '../../../server/runs/index.ts';
import { openStage, type Patient, type Stage } from './doctor/stage.ts';
import { tamperings } from './doctor/tamperings.ts';

const on = suite();
let stage: Stage;
beforeAll(async () => {
  stage = await openStage(on);
});

/** What doctor does for one organisation, without a process of its own; the command itself is run below. */
async function doctor({ org_id }: Pick<Patient, 'org_id'>) {
  const findings = await examine(stage.node.platform, org_id);
  const faults = findings.flatMap((finding) => finding.faults);
  return {
    healthy: isHealthy(findings),
    faults: faults.map((each) => ({ ...each, since: each.since?.toISOString() ?? null })),
  };
}

/** As a superuser whom no trigger stops. */
function byHand(statements: readonly string[], values: readonly unknown[]): Promise<void> {
  return withOwner(on.stores.postgres_url, async (client) => {
    await client.query('begin; set local session_replication_role = replica');
    for (const text of statements) await client.query(text, [...values]);
    await client.query('commit');
  });
}

async function timeOf({ org_id }: Patient, version: number): Promise<string> {
  const text = 'select at from netra.transfer where org_id = $1 and wallet_id = 0 and version = $2';
  const { rows } = await withOwner(on.stores.postgres_url, (client) =>
    client.query<{ at: Date }>(text, [org_id, version]),
  );
  return rows[0]?.at.toISOString() ?? 'no such transfer';
}

describe('doctor', () => {
  it.for(tamperings)('M1 M2 M3 R1: $what is found, with its row and since when', async (tampering) => {
    const patient = await stage.newPatient();
    expect(await doctor(patient)).toEqual({ healthy: true, faults: [] });
    const since = tampering.since === null ? null : await timeOf(patient, tampering.since);
    await byHand(tampering.sql, [patient.org_id]);
    const { healthy, faults } = await doctor(patient);
    expect(healthy).toBe(false);
    const { invariant, fault, place } = tampering;
    const told = faults.find((each) => each.invariant === invariant && each.fault === fault);
    expect(told, JSON.stringify(faults.map((each) => each.fault))).toMatchObject({
      place,
      key: { org_id: patient.org_id, ...tampering.key },
      ...(since === null ? {} : { since }),
    });
    for (const each of faults) expect(each.means.length * each.mend.length, each.fault).toBeGreaterThan(0);
  });

  it('M1 a balance that was changed between two movements is told from a transfer that was edited', async () => {
    const patient = await stage.newPatient();
    await byHand(
      ['update netra.wallet set available_micro = available_micro + 1 where org_id = $1 and wallet_id = 0'],
      [patient.org_id],
    );
    const run = await stage.node.ask(stage.node.as(patient.org_id), 'rehearsal', {});
    await stage.node.ended(stage.node.as(patient.org_id), run);
    const { faults } = await doctor(patient);
    const first = faults.find(({ invariant }) => invariant === 'M1');
    expect(first).toMatchObject({ fault: 'wallet_slipped', key: { version: 12 }, since: await timeOf(patient, 12) });
    expect(faults.map(({ fault }) => fault)).not.toContain('link_broken');
  });

  it.for([
    ['spending_altered', 'update netra.spending set committed_micro = committed_micro - 1 where org_id = $1', {}],
    ['spending_altered', `delete from netra.spending where org_id = $1 and user_id = ''`, { user_id: '' }],
    ['cap_uncounted', 'update netra.wallet set capped = false where org_id = $1 and wallet_id = 1', { wallet_id: 1 }],
    ['cap_uncounted', 'delete from netra.spending_cap where org_id = $1', { wallet_id: 0 }],
  ] as const)('M2 %s is found, and caps that are set again mend it', async ([fault, text, key]) => {
    const ctx = await stage.node.newOrg('mid');
    const { org_id } = ctx.principal;
    await openWallet({ ctx, input: { wallet: 1, name: 'team' } });
    const caps = { overage_micro: null, total_micro: 1_000_000_000n, member_micro: null };
    await setSpending({ ctx, input: caps });
    await placeHold({ ctx, input: { amount_micro: 1n, reason: 'test', key: 'a' } });
    const { platform } = stage.node;
    expect(await examineSpending({ platform, input: { org_id } })).toEqual([]);
    await byHand([text], [org_id]);
    const { healthy, faults } = await doctor({ org_id });
    expect(healthy).toBe(false);
    expect(faults[0]).toMatchObject({ invariant: 'M2', fault, key: { org_id, ...key } });
    await setSpending({ ctx, input: { ...caps, total_micro: null } });
    await setSpending({ ctx, input: caps });
    expect(await examineSpending({ platform, input: { org_id } })).toEqual([]);
  });

  it.for([
    ['charge_missing', 'alter table charge delete where org_id = {org:UUID} settings mutations_sync = 1'],
    [
      'charge_altered',
      'alter table charge update amount_micro = amount_micro + 1 where org_id = {org:UUID} settings mutations_sync = 1',
    ],
  ] as const)('M4 %s is found in ClickHouse, by the run', async ([fault, text]) => {
    const patient = await stage.newPatient();
    await stage.node.platform.clickhouse.command(text.replace('{org:UUID}', `'${patient.org_id}'`));
    const { healthy, faults } = await doctor(patient);
    expect(healthy).toBe(false);
    expect(faults).toMatchObject([{ invariant: 'M4', fault, key: { org_id: patient.org_id, run_id: patient.run } }]);
  });

  it('M4 charge_doubled is found in ClickHouse, by the run', async () => {
    const patient = await stage.newPatient();
    const { clickhouse } = stage.node.platform;
    const [row] = await clickhouse.query<Record<string, unknown>>('select * from charge where org_id = {org:UUID}', {
      org: patient.org_id,
    });
    await clickhouse.insert({ table: 'charge', rows: [row ?? {}], token: randomUUID() });
    const { faults } = await doctor(patient);
    expect(faults).toMatchObject([{ invariant: 'M4', fault: 'charge_doubled', key: { run_id: patient.run } }]);
  });

  it('names each organisation that was tampered with, when asked about all; and a changed price', async () => {
    const { version } = await keepPriceBook({ platform: stage.node.platform });
    const patient = await stage.newPatient();
    await byHand(["update netra.transfer set reason = 'gift' where org_id = $1 and version = 3"], [patient.org_id]);
    await byHand(
      [
        `update netra.price set usd_mtok = usd_mtok / 2 where ctid =
      (select min(ctid) from netra.price where book_version = $1)`,
      ],
      [version],
    );
    const { stdout, code } = await runServerCommand(['doctor', '--json'], on.env);
    expect(code).toBe(1);
    expect(stdout).toContain(`"org_id":"${patient.org_id}","invariant":"chain"`);
    expect(stdout).toContain(`"fault":"price_altered","place":"netra.price","key":{"book_version":"${version}"}`);
    const { stdout: text } = await runServerCommand(['doctor', '--org', patient.org_id], on.env);
    expect(text).toMatch(/chain link_broken\n\s+row\s+netra\.transfer org_id=.*version=3.*\n\s+since\s+\d{4}-/);
  });

  it('refuses an organisation that is not there', async () => {
    const ended = await runServerCommand(['doctor', '--org', randomUUID()], on.env);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('no such organisation');
  });

  it('docs/operate.md tells of every kind of fault', () => {
    const text = readFileSync(new URL('../../../docs/operate.md', import.meta.url), 'utf8');
    const untold = [...faultsOfBooks, ...faultsOfSpending, ...faultsOfCharges, ...faultsOfLogs, 'price_altered'].filter(
      (fault) => !text.includes(`\`${fault}\``),
    );
    expect(untold).toEqual([]);
  });
});

describe('doctor beside a running server', () => {
  const busy = suite();

  it('M1 M2 M3 M4 R1 raises no false alarm while runs end', async () => {
    const server = await startServer({ env: busy.env });
    busy.onEnd(() => server.stop());
    const { token } = await createAccount({ env: busy.env, plan: 'enterprise' });
    const client = createClient({ url: server.url, token });
    busy.onEnd(() => client.close());
    let looking = true;
    const lane = async (): Promise<number> => {
      let runs = 0;
      for (; looking; runs += 1) await (await client.run({ agent: 'rehearsal', input: { step_ms: 0 } })).finished();
      return runs;
    };
    const lanes = Promise.all(Array.from({ length: 4 }, lane));
    for (let look = 0; look < 6; look += 1) {
      const ended = await runServerCommand(['doctor'], busy.env);
      expect(ended.stdout).not.toContain('BREACH');
      expect(ended.code).toBe(0);
    }
    looking = false;
    expect((await lanes).every((runs) => runs > 0)).toBe(true);
    // Read-only really: where nobody may write, it examines all the same.
    await withOwner(busy.stores.postgres_url, async (client) => {
      const { rows } = await client.query<{ name: string }>('select current_database() as name');
      await client.query(`alter database "${rows[0]?.name ?? ''}" set default_transaction_read_only = on`);
    });
    expect((await runServerCommand(['doctor'], busy.env)).code).toBe(0);
  }, 120_000);
});
