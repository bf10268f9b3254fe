import { fileURLToPath } from 'node:url';
import { fontCoverage } from './font-coverage.ts';
import { invoiceDocument } from './invoice-document.ts';
import type { Invoice } from './read-invoice.ts';

const font = (name: string): string => fileURLToPath(import.meta.resolve(`pdfmake/fonts/Roboto/Roboto-${name}.ttf`));

/** Loaded when the first document is asked for: most processes print none. */
let printer: ReturnType<typeof openPrinter> | undefined;

async function openPrinter() {
  const { default: pdfmake } = await import('pdfmake');
  const normal = font('Regular');
  const bold = font('Medium');
  pdfmake.setFonts({ Roboto: { normal, bold } });
  // A document of ours names no file and no address: what a customer typed never makes one be read.
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((path) => path === normal || path === bold);
  return { pdfmake, covers: fontCoverage(normal) };
}

/** An invoice or credit note as PDF, fonts embedded. The same invoice gives the same bytes. */
export async function renderPdf(invoice: Invoice): Promise<Buffer> {
  const { pdfmake, covers } = await (printer ??= openPrinter());
  return pdfmake.createPdf(invoiceDocument(invoice, covers)).getBuffer();
}
