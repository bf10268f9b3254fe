import type { Column, Content, TableCell, TDocumentDefinitions } from 'pdfmake/interfaces.js';
import { amount, countryName, day, percent, taxSummary } from './invoice-figures.ts';
import { printable } from './printable.ts';
import type { Invoice } from './read-invoice.ts';

const grey = '#5f6b7a';
const ink = '#1f2933';
const rule = '#c3cad3';
const ruled = {
  hLineWidth: (row: number, node: { readonly table: { readonly body: readonly unknown[] } }): number =>
    row === 0 ? 0 : row === 1 || row === node.table.body.length ? 0.8 : 0.3,
  vLineWidth: (): number => 0,
  hLineColor: (): string => rule,
  paddingTop: (): number => 4,
  paddingBottom: (): number => 4,
};

/** The document as pdfmake takes it: A4, the same for the same invoice. `covers` says what the font can print. */
export function invoiceDocument(invoice: Invoice, covers: (code_point: number) => boolean): TDocumentDefinitions {
  let whole = true;
  const say = (text: string): string => {
    const said = printable(text, covers);
    whole &&= said.whole;
    return said.text;
  };
  const body: Content[] = [
    head(invoice, say),
    parties(invoice, say),
    lines(invoice, say),
    totals(invoice),
    taxes(invoice),
  ];
  const last = notes(invoice, say);
  return {
    pageSize: 'A4',
    pageMargins: [48, 48, 48, 64],
    info: {
      title: `${titleOf(invoice)} ${invoice.number}`,
      author: say(invoice.seller.name),
      creationDate: invoice.issued_at,
      modDate: invoice.issued_at,
    },
    defaultStyle: { font: 'Roboto', fontSize: 9, lineHeight: 1.15, color: ink },
    styles: {
      label: { fontSize: 8, color: grey },
      cell: { fontSize: 9 },
      heading: { fontSize: 8, bold: true, color: grey },
    },
    content: [...body, ...last, ...(whole ? [] : [missingGlyphs])],
    footer: (page, pages) => ({
      margin: [48, 16, 48, 0],
      columns: [
        { text: `${titleOf(invoice)} ${invoice.number}`, style: 'label' },
        { text: `Page ${page} of ${pages}`, style: 'label', alignment: 'right' },
      ],
    }),
  };
}

function titleOf({ kind }: Pick<Invoice, 'kind'>): string {
  return kind === 'invoice' ? 'Invoice' : 'Credit note';
}

const missingGlyphs: Content = {
  text: 'Characters that this document’s font does not have are shown by their Unicode code point, as [U+5C71].',
  style: 'label',
  margin: [0, 8, 0, 0],
};

type Say = (text: string) => string;

function head(invoice: Invoice, say: Say): Content {
  const { name } = invoice.seller;
  // A name of 200 letters would otherwise push what the document is about to the second page.
  const fontSize = name.length > 80 ? 10 : name.length > 40 ? 13 : 17;
  return {
    columns: [
      { width: '*', text: say(name), fontSize, bold: true, lineHeight: 1.05 },
      { width: 170, text: titleOf(invoice).toUpperCase(), fontSize: 17, alignment: 'right', color: grey },
    ],
    columnGap: 24,
    margin: [0, 0, 0, 22],
  };
}

function parties(invoice: Invoice, say: Say): Content {
  const { seller, buyer } = invoice;
  const block = (label: string, rows: readonly (string | null)[]): Column => ({
    width: '*',
    stack: [
      { text: label, style: 'label', margin: [0, 0, 0, 3] },
      ...rows
        .filter((row) => row !== null && row !== '')
        .map((row, index) => ({ text: say(row ?? ''), bold: index === 0 })),
    ],
  });
  return {
    columns: [
      block('From', [
        seller.name,
        seller.address,
        countryName(seller.country),
        seller.tax_id && `Tax id ${seller.tax_id}`,
      ]),
      block(invoice.kind === 'invoice' ? 'Bill to' : 'To', [
        buyer.name,
        buyer.address,
        countryName(buyer.country),
        buyer.vat_id && `VAT id ${buyer.vat_id}`,
        buyer.email,
      ]),
      { width: 170, table: { widths: ['auto', '*'], body: facts(invoice) }, layout: flush },
    ],
    columnGap: 20,
    margin: [0, 0, 0, 24],
  };
}

/** Whether there is something to pay: what was bought is paid already. */
function owes({ kind, due_usd }: Invoice): boolean {
  return kind === 'invoice' && Number(due_usd) > 0;
}

function facts(invoice: Invoice): TableCell[][] {
  const { period_start, period_end } = invoice;
  const rows: readonly (readonly [string, string | null])[] = [
    ['Number', invoice.number],
    ['Issued', day(invoice.issued_at)],
    ['Due', owes(invoice) ? day(invoice.due_at) : null],
    ['Corrects', invoice.corrects],
    ['Period', period_start && period_end && `${day(period_start)} to\n${day(period_end)}`],
  ];
  return rows
    .filter(([, value]) => value !== null)
    .map(([label, value]) => [
      { text: label, style: 'label' },
      { text: value ?? '', alignment: 'right' },
    ]);
}

/** Without lines, and level with the text beside it. */
const flush = {
  hLineWidth: (): number => 0,
  vLineWidth: (): number => 0,
  paddingLeft: (): number => 0,
  paddingRight: (): number => 0,
  paddingTop: (): number => 0,
  paddingBottom: (): number => 3,
};

const right = (text: string, more: object = {}): TableCell => ({ text, alignment: 'right', noWrap: true, ...more });

function lines(invoice: Invoice, say: Say): Content {
  const header: TableCell[] = [
    { text: '#', style: 'heading' },
    { text: 'Description', style: 'heading' },
    right('Credits', { style: 'heading' }),
    right('USD each', { style: 'heading' }),
    right('Tax', { style: 'heading' }),
    right('Net USD', { style: 'heading' }),
  ];
  const rows = invoice.lines.map((line): TableCell[] => [
    { text: String(line.line), color: grey },
    say(line.description),
    right(line.quantity === null ? '' : amount(line.quantity)),
    right(line.unit_usd ?? ''),
    right(percent(line.tax_rate)),
    right(amount(line.net_usd)),
  ]);
  return {
    table: {
      headerRows: 1,
      dontBreakRows: true,
      widths: [18, '*', 'auto', 'auto', 'auto', 62],
      body: [header, ...rows],
    },
    layout: ruled,
  };
}

function totals(invoice: Invoice): Content {
  const { currency } = invoice;
  const rows: [string, string, boolean][] = [
    ['Net', invoice.net_usd, false],
    ['Tax', invoice.tax_usd, false],
    ['Total', invoice.total_usd, true],
  ];
  if (Number(invoice.prepaid_usd) !== 0) rows.push(['Already paid', minus(invoice.prepaid_usd), false]);
  if (invoice.kind === 'invoice')
    rows.push([owes(invoice) ? `Amount due by ${day(invoice.due_at)}` : 'Amount due', invoice.due_usd, true]);
  const last = rows.length;
  return {
    unbreakable: true,
    columns: [
      { width: '*', text: '' },
      {
        width: 220,
        table: {
          widths: ['*', 'auto'],
          body: rows.map(([label, value, bold]) => [
            { text: label, bold },
            right(`${currency} ${amount(value)}`, { bold }),
          ]),
        },
        layout: {
          ...ruled,
          // Above the total, and around what is to be paid.
          hLineWidth: (row: number): number =>
            row === 2 ? 0.3 : row === last || (row === last - 1 && row > 2) ? 0.8 : 0,
        },
      },
    ],
    margin: [0, 10, 0, 14],
  };
}

function minus(usd: string): string {
  return usd.startsWith('-') ? usd.slice(1) : `-${usd}`;
}

function taxes(invoice: Invoice): Content {
  return {
    unbreakable: true,
    columns: [
      {
        width: 300,
        table: {
          headerRows: 1,
          widths: ['*', 'auto', 'auto'],
          body: [
            [
              { text: 'Tax', style: 'heading' },
              right('Net USD', { style: 'heading' }),
              right('Tax USD', { style: 'heading' }),
            ],
            ...taxSummary(invoice).map(({ name, rate, net_usd, tax_usd }) => [
              `${name} ${percent(rate)}`,
              right(amount(net_usd)),
              right(amount(tax_usd)),
            ]),
          ],
        },
        layout: ruled,
      },
    ],
    margin: [0, 0, 0, 12],
  };
}

function notes(invoice: Invoice, say: Say): Content[] {
  const legal = new Set(invoice.lines.map(({ tax_note }) => tax_note).filter((note) => note !== ''));
  const texts = [
    ...legal,
    ...(invoice.reason === null ? [] : [`Reason: ${invoice.reason}`]),
    ...(invoice.kind === 'invoice' ? [invoice.seller.notes] : []),
  ];
  return texts.filter((text) => text !== '').map((text) => ({ text: say(text), margin: [0, 0, 0, 6] }));
}
