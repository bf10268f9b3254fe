/**
 * Segment: the operator who answers to a tax office.
 * Goal: whatever somebody does to a document by hand, doctor finds it, and names the row and since when.
 * Value: an auditor's question is answered by one command.
 * Strategic impact: bills that show tampering can be relied on by both sides.
 */
import { readFileSync } from 'node:fs';
import { runServerCommand, suite, withOwner } from '@netra/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { examineInvoices, faultsOfInvoices } from '../../../server/billing/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { newBilled, type Billed } from './doctor/billed.ts';
import { billedTamperings, type BilledTampering } from './doctor/billed-tamperings.ts';

const on = suite();
let node: LedgerNode;
beforeAll(async () => {
  node = await openLedger(on);
});

/** As a superuser whom no trigger stops. */
function byHand(statements: readonly string[], { org_id, invoice, note }: Billed): Promise<void> {
  return withOwner(on.stores.postgres_url, async (client) => {
    await client.query('begin; set local session_replication_role = replica');
    for (const text of statements) await client.query(named(text, { org_id, invoice, note }));
    await client.query('commit');
  });
}

function named(text: string, { org_id, invoice, note }: Pick<Billed, 'org_id' | 'invoice' | 'note'>): string {
  return text.replaceAll('$1', `'${org_id}'`).replaceAll('$2', `'${invoice}'`).replaceAll('$3', `'${note}'`);
}

async function faultsAfter(tampering: BilledTampering, billed: Billed) {
  await byHand(tampering.sql, billed);
  const org_id = tampering.series ? undefined : billed.org_id;
  return examineInvoices({ platform: node.platform, input: { org_id } });
}

describe('doctor', () => {
  // Each tampering is a planted bug; left out, its test is red.
  it.for(billedTamperings.filter(({ series }) => !series))(
    'M5: $what is found, with its row and since when',
    async (tampering) => {
      const billed = await newBilled(node);
      const before = await examineInvoices({ platform: node.platform, input: { org_id: billed.org_id } });
      expect(before).toEqual({ breaches: [], faults: [] });
      const { breaches, faults } = await faultsAfter(tampering, billed);
      expect(breaches.length).toBeGreaterThan(0);
      expectTold(faults, tampering, billed);
    },
  );

  it('M5 tells of each document where the lines of all were lowered', async () => {
    const billed = await newBilled(node);
    await byHand(
      [
        'update netra.invoice_line set net_usd = net_usd - 1 where org_id = $1',
        'delete from netra.rounding where org_id = $1',
      ],
      billed,
    );
    const { faults } = await examineInvoices({ platform: node.platform, input: { org_id: billed.org_id } });
    const kinds = new Set(faults.map(({ fault }) => fault));
    expect([...kinds].toSorted()).toEqual([
      'document_altered',
      'line_altered',
      'purchase_misbilled',
      'rounding_altered',
      'total_altered',
    ]);
    expect(
      faults.find(({ fault, key }) => fault === 'document_altered' && key['invoice_id'] === billed.note),
    ).toMatchObject({
      since: new Date(billed.noted_at),
    });
  });

  it('M5 says it in words, with the row, on the command line', async () => {
    const billed = await newBilled(node);
    await byHand(
      ['update netra.invoice_line set net_usd = 1 where org_id = $1 and invoice_id = $2 and line = 1'],
      billed,
    );
    const { code, stdout } = await runServerCommand(['doctor', '--org', billed.org_id], on.env);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /BREACH M5[^]*M5 line_altered[^]*row {7}netra\.invoice_line .*line=1 .*number=INV-\d+[^]*since {5}\d{4}-[^]*mend/,
    );
  });

  it('docs/operate.md tells of every kind of fault', () => {
    const text = readFileSync(new URL('../../../docs/operate.md', import.meta.url), 'utf8');
    expect(faultsOfInvoices.filter((fault) => !text.includes(`\`${fault}\``))).toEqual([]);
  });
});

describe('doctor, of the series of numbers', () => {
  it.for(billedTamperings.filter(({ series }) => series))('M5: $what is found', async (tampering) => {
    await newBilled(node);
    const billed = await newBilled(node);
    const { breaches, faults } = await faultsAfter(tampering, billed);
    expect(breaches.some(({ org_id }) => org_id.startsWith('00000000'))).toBe(true);
    expectTold(faults, tampering, billed);
  });
});

function expectTold(
  faults: Awaited<ReturnType<typeof examineInvoices>>['faults'],
  tampering: BilledTampering,
  billed: Billed,
): void {
  const { fault, place } = tampering;
  const since = tampering.since(billed);
  const key: unknown = expect.objectContaining({
    ...(tampering.series ? {} : { org_id: billed.org_id }),
    ...tampering.key(billed),
  });
  expect(
    faults.map((each) => ({ ...each, since: each.since?.toISOString() ?? null })),
    JSON.stringify(faults),
  ).toContainEqual(
    expect.objectContaining({
      invariant: 'M5',
      fault,
      place,
      key,
      ...(since === null ? {} : { since }),
    }),
  );
  for (const each of faults) expect(each.means.length * each.mend.length, each.fault).toBeGreaterThan(0);
}
