import { adviceOn, type Advice, type FaultRow } from '../../platform/index.ts';

const asSent =
  'Take the document as it was sent (its PDF, or the newest backup from before that moment) and put the row back as it was, in one transaction as a superuser with `set local session_replication_role = replica`; then run doctor again';

/** Fault by fault: what must have happened, and the next step. The docs' table (docs/operate.md) is tested against it. */
const advice: Readonly<Record<string, Advice>> = {
  document_altered: {
    means:
      'This document does not say what it said when it was issued: it or its lines were edited, added or deleted behind the triggers.',
    mend: `Other rows of this report may say what. ${asSent}. Never compute the hash anew: it is the evidence. What was wrong from the start is corrected by a credit note.`,
  },
  total_altered: {
    means: 'The lines of this document do not add up to its totals: lines were edited or deleted, or the totals were.',
    mend: `If a line is named by this report, mend that first; if none is, the last lines were deleted or the totals written. ${asSent}.`,
  },
  line_missing: {
    means: 'Lines in the middle of a document were deleted: they are numbered without gaps.',
    mend: `${asSent}.`,
  },
  line_altered: {
    means: 'A line does not say what it bills: its amount, its rounding or its tax was edited, or what it bills was.',
    mend: `If the charge, grant or purchase is at fault too, mend that first. ${asSent}.`,
  },
  rounding_altered: {
    means:
      'The rounding account does not have what this line kept back or added: it was written by hand, or the line was.',
    mend: 'If the line is at fault too, mend that first. If not, set the row to what is expected, or insert it, in the same way; a row of zeros is none.',
  },
  document_missing: {
    means: 'Lines of a document that is not there: it was deleted.',
    mend: `${asSent}. Its number is told by doctor without --org (number_missing).`,
  },
  credited_too_much: {
    means: 'Credit notes take back more than the invoice was: one of them, or the invoice, was written by hand.',
    mend: `If one of the documents is named as altered, mend that. If not, the notes were issued past netra.credit_invoice: ${asSent}, or bill the difference by an invoice outside.`,
  },
  state_altered: {
    means: 'The state of an invoice does not agree with its credit notes.',
    mend: 'Set its state: `credited` where nothing is left of it; else `paid` where payments cover it (`netra admin payment list`), and `open` where they do not.',
  },
  overage_misbilled: {
    means:
      'What the documents billed of credits beyond the plan is not what was spent of them, and nothing moved since the last look: a line or the grant was written by hand, or a document was deleted.',
    mend: 'If the grant or a document is at fault too, mend that first. If neither is, the next invoice bills the difference by itself.',
  },
  charge_misbilled: {
    means:
      'A charge of a subscription is not on a document as it is: the charge was edited, or its line, or its document was deleted.',
    mend: 'If a document is at fault or a number is missing, mend that first. If not, compare the charge with the price of its plan (`netra admin plan show`): the charge was edited, so put it back.',
  },
  purchase_misbilled: {
    means:
      'A paid purchase is not on a document as it is: the purchase was edited, or its line, or its document was deleted.',
    mend: 'If a document is at fault or a number is missing, mend that first. If not, compare the purchase with its payment (`netra admin payment list`), which cannot be edited, and put it back.',
  },
  purchase_unpaid: {
    means:
      'A purchase is called paid and its payment or its grant says otherwise: its state was written by hand, or one of the amounts.',
    mend: 'The payment cannot be edited (`netra admin payment list`), and the bank or the provider has it too. If there is none, the purchase was never paid: set it to pending, and take its credits back by an adjustment.',
  },
  invoice_unpaid: {
    means:
      'An invoice is called paid and something is to pay, or the other way round: its state was written by hand, or a payment deleted.',
    mend: 'Compare with the bank or the provider. If the money came, insert the payment that is missing; if not, set the state to `open` in the same way. Where nothing is to pay, set it to `paid`.',
  },
  payment_overused: {
    means: 'More of a payment was used for invoices, or sent back, than had come: rows were added by hand.',
    mend: 'Compare netra.payment_use and the reversals of this payment with the bank or the provider; delete what was added, as a superuser with `set local session_replication_role = replica`.',
  },
  number_missing: {
    means: 'A number was drawn and no document has it: the document was deleted.',
    mend: `${asSent}. A tax office asks about a missing number: keep this report with the answer.`,
  },
  number_altered: {
    means:
      'A document has another number than was drawn for it, or one that was not drawn: it was renumbered or inserted by hand.',
    mend: `If it was renumbered: ${asSent}. If it was inserted, it was never issued: delete it and its lines in the same way.`,
  },
  series_altered: {
    means: 'The counter of a series is not at the last number that was drawn: it was written by hand.',
    mend: 'Set it to what is expected, as the owner of the schema, before the next document is issued: a number would be given out twice, or one left out.',
  },
};

export function howToMend({ fault }: Pick<FaultRow, 'fault'>): Advice {
  return adviceOn(advice, fault);
}

/** Every kind of fault that has advice. */
export const faultsOfInvoices = Object.keys(advice);
