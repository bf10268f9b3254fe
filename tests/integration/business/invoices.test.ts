/**
 * Segment: paying customers, and the operator who answers to a tax office.
 * Goal: documents are numbered without a gap, never change, say who owes which tax, and are seen by those they concern.
 * Value: an operator can bill without another system, and an auditor finds every number.
 * Strategic impact: an invoice that is wrong, or missing, costs more trust than any outage.
 */
import { randomUUID } from 'node:crypto';
import { createAccount, startServer, suite, type TestAccount, type TestServer } from '@netra/testkit';
import { Client } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkInvoices,
  creditInvoice,
  importTaxRates,
  issueDueInvoices,
  issueInvoices,
  listInvoices,
  readInvoice,
  renderCsv,
  renderPdf,
  setSeller,
  writeBillingProfile,
  type Invoice,
} from '../../../server/billing/index.ts';
import type { Ctx } from '../../../server/platform/index.ts';
import { subscribe } from '../../../server/plans/index.ts';
import { openLedger, type LedgerNode } from '../ledger-node.ts';
import { ageSubscription } from './age-subscription.ts';
import { refusal } from './credits/stage.ts';

const on = suite();
let node: LedgerNode;
let server: TestServer;
let account: TestAccount;
const seller = { name: 'Seller B.V.', address: 'Damrak 1', country: 'NL', number_prefix: 'INV', notes: 'IBAN NL00' };
beforeAll(async () => {
  node = await openLedger(on);
  await setSeller({ platform: node.platform, input: seller });
  server = await startServer({ env: on.env });
  on.onEnd(() => server.stop());
  account = await createAccount({ env: on.env, plan: 'early' });
});

/** An organisation whose first period on the early plan has just ended. */
async function closed(profile: Partial<Parameters<typeof writeBillingProfile>[0]['input']> = {}): Promise<Ctx> {
  const ctx = await node.newOrg();
  await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL', ...profile } });
  await subscribe({ ctx, input: { plan: 'early' } });
  await ageSubscription(node, ctx, { periods: 1 });
  return ctx;
}

async function issued(ctx: Ctx): Promise<Invoice> {
  const [first] = await issueInvoices({ platform: node.platform, org_id: ctx.principal.org_id });
  return readInvoice({ ctx, input: { invoice_id: first?.invoice_id ?? '' } });
}

describe('numbers', () => {
  // Planted bug that turns it red: draw_number() from a sequence.
  it('are dense whatever is rolled back: 50 at once, every third aborted', async () => {
    const orgs = await Promise.all(Array.from({ length: 50 }, () => closed()));
    await Promise.all(
      orgs.map(async ({ principal: { org_id } }, index) => {
        if (index % 3 > 0) {
          await issueInvoices({ platform: node.platform, org_id });
          return;
        }
        const client = new Client({ connectionString: on.stores.postgres_url });
        await client.connect();
        try {
          await client.query('begin');
          await client.query('select * from netra.issue_invoice($1)', [org_id]);
          await client.query('rollback');
        } finally {
          await client.end();
        }
      }),
    );
    const dense = async () =>
      node.owner(
        "select count(*)::int as documents, max(serial) as last, min(serial) as first from netra.invoice where kind = 'invoice'",
      );
    expect(await dense()).toEqual([{ documents: 33, first: 1, last: 33 }]);
    // Two nodes look for what is due at the same time.
    await Promise.all([1, 2].map(() => issueDueInvoices({ platform: node.platform, limit: 100 })));
    expect(await dense()).toEqual([{ documents: 50, first: 1, last: 50 }]);
    expect(await checkInvoices({ platform: node.platform })).toEqual([]);
  }, 60_000);

  it('keep their prefix once a series has begun; another seller has a series of its own', async () => {
    await issued(await closed());
    const other = { ...seller, number_prefix: 'OTHER' };
    expect((await refusal(setSeller({ platform: node.platform, input: other }))).code).toBe('conflict');
    await setSeller({ platform: node.platform, input: { ...other, seller_id: 'second' } });
    expect((await issued(await closed())).number).toBe('OTHER-000001');
    await setSeller({ platform: node.platform, input: seller });
    expect((await issued(await closed())).number).toMatch(/^INV-/);
  });
});

describe('an issued invoice', () => {
  // Planted bug that turns it red: no trigger on netra.invoice.
  it('cannot be changed, deleted or added to, even by the owner of the schema', async () => {
    const { invoice_id } = await issued(await closed());
    const edits = [
      'update netra.invoice set total_usd = 1, tax_usd = 1 - net_usd, due_usd = 1 where invoice_id = $1',
      "update netra.invoice set state = 'open' where invoice_id = $1 and state = 'x' or invoice_id = $1 and number <> ''",
      'delete from netra.invoice where invoice_id = $1',
      'update netra.invoice_line set net_usd = 0 where invoice_id = $1',
      'delete from netra.rounding where invoice_id = $1',
      `insert into netra.invoice_line select org_id, invoice_id, 99, kind, description, quantity, unit_usd, 0, 0, 0, '',
         '', 0, 0 from netra.invoice_line where invoice_id = $1`,
    ];
    const outcomes = await Promise.allSettled(edits.map((text) => node.owner(text, [invoice_id])));
    // The second edits nothing: writing the state that there is stays allowed, since payments write it.
    expect(outcomes.map(({ status }) => status)).toEqual(edits.map((_, at) => (at === 1 ? 'fulfilled' : 'rejected')));
  });

  // Planted bug that turns it red: open_lines() that forgets earlier credit notes.
  it('is corrected by credit notes only, never by more than a line has left', async () => {
    const ctx = await closed();
    const invoice = await issued(ctx);
    const { invoice_id } = invoice;
    const credit = (input: object) => creditInvoice({ ctx, input: { invoice_id, reason: 'outage', ...input } });
    expect(await credit({ lines: [{ line: 1, net_usd: '10.00' }] })).toMatchObject({
      number: 'INV-CN-000001',
      total_usd: '-12.10',
    });
    for (const lines of [[{ line: 1, net_usd: '20.00' }], [{ line: 2 }]]) {
      expect((await refusal(credit({ lines }))).code).toBe('conflict');
    }
    for (const input of [{ net_usd: '0.00' }, {}, { net_usd: '1.00', lines: [{ line: 1 }] }, { net_usd: '-1' }]) {
      expect((await refusal(credit(input))).code).toBe('invalid_request');
    }
    const both = await Promise.allSettled([credit({ net_usd: '15.00' }), credit({ net_usd: '15.00' })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    // The rest, and with it the rest of the tax: 36.29 in all.
    await credit({ lines: [{ line: 1 }] });
    const { items } = await listInvoices({ ctx, input: {} });
    expect(items.find((item) => item.invoice_id === invoice_id)).toMatchObject({
      state: 'credited',
      total_usd: '36.29',
      credited_usd: '36.29',
    });
    expect(await checkInvoices({ platform: node.platform })).toEqual([]);
  });
});

describe('credits that were bought', () => {
  const run = (text: string, values: readonly unknown[]) => node.platform.postgres.call({ text, values });

  // Planted bug that turns it red: prepaid_usd left at zero, or purchases_to_bill() without its `not exists`.
  it('are on the next invoice as paid already, once; given back, on the one after', async () => {
    const ctx = await node.newOrg();
    const { org_id } = ctx.principal;
    await writeBillingProfile({ ctx, input: { name: 'Buyer', address: 'Street 1', country: 'NL' } });
    await subscribe({ ctx, input: { plan: 'early' } });
    const purchase = randomUUID();
    await run("select netra.open_purchase($1, $2, 'small', now(), 'manual', null, null, 'me', 'first')", [
      org_id,
      purchase,
    ]);
    await run("select * from netra.settle_purchase($1, $2, 'manual', 'bank 1', 12.10, 'me', '')", [org_id, purchase]);
    // Paid within the period that is about to have ended.
    const early = "update netra.credit_purchase set paid_at = now() - interval '1 day' where purchase_id = $1";
    await node.owner(early, [purchase]);
    await ageSubscription(node, ctx, { periods: 1 });
    const first = await issued(ctx);
    expect(first.lines.map(({ kind, net_usd }) => [kind, net_usd])).toEqual([
      ['base', '29.99'],
      ['purchase', '10.00'],
    ]);
    expect(first).toMatchObject({ total_usd: '48.39', prepaid_usd: '12.10', due_usd: '36.29', state: 'open' });
    await ageSubscription(node, ctx, { periods: 1 });
    expect(
      (await issued(ctx)).lines.map(({ kind }) => kind),
      'not again',
    ).toEqual(['base']);
    await run("select * from netra.begin_refund($1, $2, 'unused')", [org_id, purchase]);
    await run("select * from netra.finish_refund($1, $2, 'bank 2', 'me', '')", [org_id, purchase]);
    await ageSubscription(node, ctx, { periods: 1 });
    expect(await issued(ctx)).toMatchObject({ total_usd: '24.19', prepaid_usd: '-12.10', due_usd: '36.29' });
    await ageSubscription(node, ctx, { periods: 1 });
    expect((await issued(ctx)).lines.map(({ kind }) => kind)).toEqual(['base']);
    expect(await checkInvoices({ platform: node.platform })).toEqual([]);
  });

  // Planted bug that turns it red: credit_invoice() that forgets what was paid.
  it('an invoice is paid by what came in and what was credited together', async () => {
    const ctx = await closed();
    const { invoice_id } = await issued(ctx);
    const pay = "select * from netra.record_payment($1, $2, 20.00, 'manual', 'bank 3', 'me', '')";
    await run(pay, [ctx.principal.org_id, invoice_id]);
    expect(await readInvoice({ ctx, input: { invoice_id } })).toMatchObject({ state: 'open' });
    await creditInvoice({ ctx, input: { invoice_id, net_usd: '14.00', reason: 'outage' } });
    expect(await readInvoice({ ctx, input: { invoice_id } })).toMatchObject({ state: 'paid', credited_usd: '16.94' });
  });
});

describe('tax', () => {
  // Planted bug that turns it red: tax_of() that looks at the buyer's country alone.
  it.each([
    ['at home', { country: 'NL' }, '0.2100', 'VAT', ''],
    ['at home, a business', { country: 'NL', vat_id: 'NL000099998B57' }, '0.2100', 'VAT', ''],
    [
      'a business in another member state',
      { country: 'FR', vat_id: 'FR 40 303265045' },
      '0.0000',
      'reverse charge',
      'Reverse charge',
    ],
    ['a consumer in another member state', { country: 'FI' }, '0.2550', 'VAT', ''],
    ['outside the union', { country: 'US' }, '0.0000', 'export', 'outside the European Union'],
  ])('of a buyer %s', async (_who, profile, tax_rate, tax_name, note) => {
    const invoice = await issued(await closed(profile));
    expect(invoice.lines[0]).toMatchObject({ tax_rate, tax_name });
    expect(invoice.lines[0]?.tax_note).toContain(note);
    expect(invoice.buyer.vat_id).toBe('vat_id' in profile ? profile.vat_id?.replaceAll(' ', '') : null);
  });

  // Planted bug that turns it red: import_tax_rates() without its first loop.
  it('rates are added with a date, and never changed once in force', async () => {
    const load = (csv: string) => importTaxRates({ platform: node.platform, input: { csv } });
    const head = 'country,valid_from,percent,name,eu\n';
    expect(await load(`${head}NL,2050-01-01,25.5,VAT,yes\n`)).toEqual({ changed: 1 });
    expect(await load(`${head}NL,2050-01-01,24,VAT,yes\n`)).toEqual({ changed: 1 });
    expect((await refusal(load(`${head}NL,2026-01-01,20,VAT,yes\n`))).code).toBe('conflict');
    for (const bad of [
      'NL,2050-13-01,1,VAT,yes',
      'NL,2050-01-01,-1,VAT,yes',
      'NLD,2050-01-01,1,VAT,yes',
      'NL,2050-01-01,1,VAT,',
    ]) {
      expect((await refusal(load(`${head}${bad}\n`))).code, bad).toBe('invalid_request');
    }
    expect((await refusal(load('a,b\n1,2\n'))).message).toContain('no column country');
  });

  it('ids have the form and the check digits of their country', async () => {
    const ctx = await node.newOrg();
    const write = (country: string, vat_id: string) =>
      writeBillingProfile({ ctx, input: { name: 'B', address: 'S', country, vat_id } });
    expect(await write('GR', 'EL 094259216')).toMatchObject({ vat_id: 'EL094259216' });
    for (const [country, id] of [
      ['FR', 'FR40303265046'],
      ['DE', 'FR40303265045'],
      ['US', '=1+1'],
    ] as const) {
      expect((await refusal(write(country, id))).code, id).toBe('invalid_request');
    }
  });
});

describe('the document', () => {
  // Planted bug that turns it red: a creation date of now.
  it('is a PDF with its fonts in it, the same each time, of any text', async () => {
    const ctx = await closed({ name: '山田 \u202E Ω Ж', address: `${'W'.repeat(200)}\nend` });
    const invoice = await issued(ctx);
    const pdf = await renderPdf(invoice);
    const text = pdf.toString('latin1');
    expect(text.slice(0, 5) + text.trimEnd().slice(-5)).toBe('%PDF-%%EOF');
    expect(text.match(/\/FontFile2 /g)?.length).toBe(2);
    expect(pdf.equals(await renderPdf(invoice))).toBe(true);
    const long = { ...invoice, lines: Array.from({ length: 90 }, () => invoice.lines[0] as Invoice['lines'][number]) };
    expect((await renderPdf(long)).toString('latin1').match(/\/Type \/Page\n/g)?.length).toBeGreaterThanOrEqual(3);
  });

  // Planted bug that turns it red: escape_formulas left out, or set for every column.
  it('is a CSV in which no text is a formula, and every amount a number', async () => {
    const ctx = await closed({ name: '=HYPERLINK("http://example.com")' });
    const { invoice_id } = await issued(ctx);
    const note = await creditInvoice({ ctx, input: { invoice_id, net_usd: '5.00', reason: '+1' } });
    const csv = renderCsv(await readInvoice({ ctx, input: { invoice_id: note.invoice_id } }));
    expect(csv).toContain(`"'=HYPERLINK(""http://example.com"")"`);
    expect(csv).toContain(`,'+1,`);
    expect(csv).toContain(',-5.00,');
  });
});

describe('GET /v1/invoices', () => {
  const call = (path: string, token: string, init: RequestInit = {}) =>
    fetch(`${server.url}${path}`, {
      ...init,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    });

  // Planted bug that turns it red: readInvoice() without mayHandleMoney().
  it('shows an organisation its own, to owners and admins only', async () => {
    const profile = { name: 'Acme', address: 'Rue 1', country: 'FR', vat_id: 'FR40303265045' };
    const put = await call('/v1/billing/profile', account.token, { method: 'PUT', body: JSON.stringify(profile) });
    expect([put.status, await put.json()]).toEqual([200, { ...profile, email: null }]);
    const ctx: Ctx = {
      ...(await node.newOrg()),
      principal: { ...(await node.newOrg()).principal, org_id: account.org },
    };
    await ageSubscription(node, ctx, { periods: 1 });
    const { invoice_id, number } = await issued(ctx);
    const list = (await (await call('/v1/invoices', account.token)).json()) as { items: object[]; next: null };
    expect(list).toMatchObject({ items: [{ invoice: invoice_id, number, total_usd: '29.99' }], next: null });
    const pdf = await call(`/v1/invoices/${invoice_id}/pdf`, account.token);
    expect([pdf.headers.get('content-type'), pdf.headers.get('content-disposition')]).toEqual([
      'application/pdf',
      `attachment; filename="${number}.pdf"`,
    ]);
    expect(
      Buffer.from(await pdf.arrayBuffer())
        .subarray(0, 5)
        .toString(),
    ).toBe('%PDF-');
    expect(await (await call(`/v1/invoices/${invoice_id}/csv`, account.token)).text()).toContain('early plan');

    const stranger = await createAccount({ env: on.env, plan: 'early' });
    for (const path of ['', '/pdf', '/csv']) {
      expect((await call(`/v1/invoices/${invoice_id}${path}`, stranger.token)).status).toBe(404);
    }
    for (const role of ['member', 'viewer'] as const) {
      const as = node.as(ctx, role);
      for (const refused of [
        listInvoices({ ctx: as, input: {} }),
        readInvoice({ ctx: as, input: { invoice_id } }),
        writeBillingProfile({ ctx: as, input: profile }),
        creditInvoice({ ctx: as, input: { invoice_id, net_usd: '1.00', reason: randomUUID() } }),
      ]) {
        expect((await refusal(refused)).code).toBe('forbidden');
      }
    }
  });

  it('pages by cursor, each once', async () => {
    const ctx = await closed();
    const { invoice_id } = await issued(ctx);
    for (const reason of ['a', 'b', 'c']) await creditInvoice({ ctx, input: { invoice_id, net_usd: '1.00', reason } });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listInvoices>> = await listInvoices({
        ctx,
        input: { limit: 1, ...(cursor === null ? {} : { cursor }) },
      });
      seen.push(...page.items.map(({ number }) => number));
      cursor = page.next;
    } while (cursor !== null);
    expect([seen.length, new Set(seen).size]).toEqual([4, 4]);
  });
});
