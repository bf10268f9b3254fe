-- not breaking: nothing stands on it
drop function netra.tax_of(uuid, timestamptz);
