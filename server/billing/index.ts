export { currentPrices } from './current-prices.ts';
export { examinePriceBooks } from './examine-price-books.ts';
export { importPrices } from './own/import-prices.ts';
export { retirePrices } from './own/retire-prices.ts';
export { keepPriceBook } from './keep-price-book.ts';
export { listModelPrices, priceOf, type ModelPrices } from './price-of.ts';
export { rateUsage, type RatedUsage, type Usage } from './rate-usage.ts';
export { readPriceBook } from './read-price-book.ts';
export { showPrices } from './own/show-prices.ts';
export { standardBook, type PriceList } from './standard-book.ts';
export {
  checkInvoices,
  creditInvoice,
  examineInvoices,
  faultsOfInvoices,
  findInvoices,
  importTaxRates,
  issueDueInvoices,
  issueInvoices,
  listInvoices,
  listTaxRates,
  readBillingProfile,
  readInvoice,
  readSeller,
  renderCsv,
  renderPdf,
  setSeller,
  writeBillingProfile,
  type FindInvoicesInput,
  type Invoice,
  type SetSellerInput,
} from './invoices/index.ts';
export {
  cancelPurchase,
  checkPayments,
  createPlanCheckout,
  createPurchase,
  findPayments,
  findPurchases,
  importPacks,
  listPacks,
  listPaymentEvents,
  listPayments,
  listPurchases,
  payInvoice,
  processPaymentEvents,
  readPlanCheckout,
  readPurchase,
  receiveStripeEvent,
  recordPayment,
  refundPurchase,
  reversePayment,
  settlePurchase,
  tellSubscriptions,
  type InvoicePage,
  type PlanCheckoutRow,
  type PurchaseRow,
} from './payments/index.ts';
