-- not breaking: nothing stands on them
drop function netra.line_of(uuid);
drop function netra.note_spending(uuid, text, timestamptz, bigint, boolean);
