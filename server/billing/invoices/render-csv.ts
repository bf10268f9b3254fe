import { stringify } from 'csv-stringify/sync';
import { day } from './invoice-figures.ts';
import type { Invoice } from './read-invoice.ts';

/** What people or organisations typed; everything else is ours: numbers, dates, ids. */
const typed = new Set(['buyer', 'buyer_vat_id', 'description', 'tax_name', 'tax_note', 'reason', 'agent']);

/**
 * An invoice's lines as CSV, one row a line, with what belongs to the whole document on each. Text that a spreadsheet
 * would take for a formula gets an apostrophe in front; amounts do not, or a negative one would be no number.
 */
export function renderCsv(invoice: Invoice): string {
  const { buyer, lines, period_start, period_end } = invoice;
  const rows = lines.map((line) => ({
    number: invoice.number,
    kind: invoice.kind,
    issued: day(invoice.issued_at),
    due: day(invoice.due_at),
    period_start: period_start?.toISOString() ?? '',
    period_end: period_end?.toISOString() ?? '',
    corrects: invoice.corrects ?? '',
    reason: invoice.reason ?? '',
    buyer: buyer.name,
    buyer_vat_id: buyer.vat_id ?? '',
    line: String(line.line),
    line_kind: line.kind,
    description: line.description,
    agent: line.agent ?? '',
    credits: line.quantity ?? '',
    unit_usd: line.unit_usd ?? '',
    net_usd: line.net_usd,
    tax_rate: line.tax_rate,
    tax_name: line.tax_name,
    tax_note: line.tax_note,
    tax_usd: line.tax_usd,
    currency: invoice.currency,
  }));
  return stringify(rows, {
    header: true,
    record_delimiter: '\r\n',
    cast: {
      string: (value, { header, column }) => ({
        value,
        escape_formulas: !header && typed.has(String(column)),
      }),
    },
  });
}
