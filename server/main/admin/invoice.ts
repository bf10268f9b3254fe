import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { NetraError } from '@netra/contract';
import {
  creditInvoice,
  findInvoices,
  issueDueInvoices,
  issueInvoices,
  readInvoice,
  renderCsv,
  renderPdf,
  type FindInvoicesInput,
  type Invoice,
} from '../../billing/index.ts';
import { systemIds, type Ctx, type Platform } from '../../platform/index.ts';
import type { AdminCommand } from '../admin.ts';
import { commonOptions } from '../options.ts';
import { printAnswer, wrongUsage } from './print.ts';
import { withHouse } from './with-house.ts';

const options = {
  ...commonOptions,
  org: { type: 'string' },
  state: { type: 'string' },
  limit: { type: 'string' },
  lines: { type: 'string' },
  amount: { type: 'string' },
  reason: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
} as const;
type Values = { readonly [name in keyof typeof options]?: string | boolean | undefined };

/** `admin invoice`: every organisation's invoices, corrected by credit notes only. */
export const invoice: AdminCommand = {
  usage: [
    'invoice list [--org ORG] [--state open|paid|credited|issued] [--limit N] [--json] [--data DIR]',
    'invoice show NUMBER [--json] [--data DIR]',
    'invoice issue [--org ORG] [--json] [--data DIR]',
    'invoice credit NUMBER (--lines 1,2=5.00 | --amount NET) --reason TEXT [--json] [--data DIR]',
    'invoice pdf NUMBER [--out FILE] [--data DIR]',
    'invoice csv NUMBER [--out FILE] [--data DIR]',
  ],
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
    const [verb = '', number, ...rest] = positionals;
    const act = verbs[verb];
    const named = verb !== 'list' && verb !== 'issue';
    if (act === undefined || named !== (number !== undefined) || rest.length > 0) throw wrongUsage(invoice);
    await withHouse(values, ({ platform }) => act(platform, values, number ?? ''));
    return 0;
  },
};

const verbs: Readonly<Record<string, (platform: Platform, values: Values, number: string) => Promise<void>>> = {
  async list(platform, { org, state, limit, json }) {
    const input = {
      ...(org === undefined ? {} : { org_id: org }),
      ...(state === undefined ? {} : { state }),
      ...(limit === undefined ? {} : { limit: Number(limit) }),
    };
    // What was typed: the verb refuses a state or an organisation that is none.
    const invoices = await findInvoices({ platform, input: input as FindInvoicesInput });
    printAnswer(json === true, { invoices }, () =>
      invoices
        .map(
          (i) =>
            `${i.number}  ${i.issued_at.toISOString().slice(0, 10)}  ${i.state}  ${i.total_usd}  ${i.buyer_name}\n`,
        )
        .join(''),
    );
  },
  async show(platform, { json }, number) {
    const found = await theInvoice(platform, number);
    printAnswer(json === true, found, () => asText(found));
  },
  async issue(platform, { org, json }) {
    if (typeof org === 'string') {
      const issued = await issueInvoices({ platform, org_id: org });
      printAnswer(json === true, { issued }, () => issued.map((i) => `${i.number}  ${i.total_usd}\n`).join(''));
      return;
    }
    const organisations = await issueDueInvoices({ platform, limit: 100_000 });
    printAnswer(json === true, { organisations }, () => `organisations visited: ${organisations}\n`);
  },
  async credit(platform, { lines, amount, reason, json }, number) {
    const found = await operatorOf(platform, number);
    const note = await creditInvoice({
      ctx: found.ctx,
      input: {
        invoice_id: found.invoice_id,
        lines: typeof lines === 'string' ? parseLines(lines) : null,
        net_usd: typeof amount === 'string' ? amount : null,
        reason: String(reason ?? ''),
      },
    });
    printAnswer(json === true, note, () => `${note.number}  ${note.total_usd}\n`);
  },
  async pdf(platform, { out }, number) {
    await write(out ?? `${number}.pdf`, await renderPdf(await theInvoice(platform, number)));
  },
  async csv(platform, { out }, number) {
    await write(out ?? `${number}.csv`, renderCsv(await theInvoice(platform, number)));
  },
};

/** Acts for the organisation that the document belongs to. */
async function operatorOf(platform: Platform, number: string): Promise<{ ctx: Ctx; invoice_id: string }> {
  const [found] = await findInvoices({ platform, input: { number } });
  if (found === undefined) throw new NetraError('not_found', `There is no invoice ${number}.`);
  const { org_id, invoice_id } = found;
  const principal = { org_id, user_id: 'operator', role: 'owner', kind: 'user', expires_at_ms: null } as const;
  return { ctx: { platform, principal, trace_id: systemIds.uuid() }, invoice_id };
}

async function theInvoice(platform: Platform, number: string): Promise<Invoice> {
  const { ctx, invoice_id } = await operatorOf(platform, number);
  return readInvoice({ ctx, input: { invoice_id } });
}

/** `1,2=5.00`: line 1 whole, and 5.00 of line 2. */
function parseLines(text: string): { line: number; net_usd?: string }[] {
  return text.split(',').map((part) => {
    const [line, net_usd] = part.split('=');
    return { line: Number(line), ...(net_usd === undefined ? {} : { net_usd }) };
  });
}

async function write(out: string | boolean, bytes: Buffer | string): Promise<void> {
  await writeFile(String(out), bytes);
  process.stdout.write(`${String(out)}\n`);
}

function asText(found: Invoice): string {
  const rows = found.lines.map((l) => `${String(l.line).padStart(3)}  ${l.net_usd.padStart(12)}  ${l.description}\n`);
  return [
    `${found.kind} ${found.number} (${found.state}) for ${found.buyer.name}\n`,
    ...rows,
    `net ${found.net_usd}  tax ${found.tax_usd}  total ${found.total_usd}  due ${found.due_usd}\n`,
  ].join('');
}
