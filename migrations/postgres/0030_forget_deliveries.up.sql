-- not breaking: gives netra_system the right to lock the deliveries that it forgets
-- netra.forget_deliveries deletes with `for update skip locked`, which asks for the right to update a column as well.
grant update (ended_at) on netra.webhook_delivery to netra_system;
