-- breaking: drops the invoices
drop trigger invoices on netra.subscription;
drop function netra.schedule_invoices();
drop index netra.hold_grant_of_grant, netra.hold_grant_refunded;
drop function netra.check_invoices(), netra.check_series(), netra.check_seen_invoices(), netra.check_seen_billed(),
  netra.find_invoices(text, uuid, text, int),
  netra.set_billing_profile(uuid, text, text, text, text, text), netra.import_tax_rates(jsonb),
  netra.set_seller(text, text, text, text, text, text, int, text), netra.left_of_invoice(uuid, uuid),
  netra.credit_invoice(uuid, uuid, uuid, jsonb, numeric, text), netra.refuse_credit(uuid, uuid, jsonb, numeric),
  netra.split_credit(uuid, uuid, jsonb, numeric), netra.open_lines(uuid, uuid),
  netra.move_schedule(netra.invoice_schedule, netra.subscription), netra.issue_invoice(uuid),
  netra.close_invoice(uuid, uuid, netra.seller, netra.invoice_schedule, uuid, text), netra.keep_rounding(uuid, uuid),
  netra.write_lines(uuid, uuid, netra.invoice_schedule, timestamptz), netra.purchases_to_bill(uuid, timestamptz),
  netra.overage_to_bill(uuid, timestamptz), netra.overage_tax(uuid, uuid, text, timestamptz),
  netra.charges_to_bill(uuid, uuid, timestamptz), netra.no_subscription(uuid), netra.schedule_purchase(),
  netra.buyer_as_printed(uuid), netra.seller_as_printed(netra.seller),
  netra.draw_number(text, text), netra.orgs_to_invoice(int), netra.scheduled_period(netra.subscription, int),
  netra.tax_rate_of(text, date), netra.half_even(numeric);
drop function netra.tax_of(uuid, timestamptz);
drop policy ledger on netra.org;
revoke select on netra.org from netra_ledger;
drop trigger hashed on netra.invoice;
drop function netra.hash_invoice(), netra.hash_document(netra.invoice);
drop table netra.rounding, netra.invoice_line, netra.invoice, netra.invoice_schedule, netra.billing_profile,
  netra.tax_rate, netra.drawn_number, netra.seller;
drop function netra.guard_invoice(), netra.guard_invoice_line();
