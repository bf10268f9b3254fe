-- not breaking: adds what was said before a conversation came here
-- What a client of another protocol told at the start of a conversation: [{author, text}], oldest first. It belongs to no
-- run of ours, so it is no message (docs/decisions/0024-what-a-model-is-told.md).
alter table netra.thread add column prelude jsonb check (jsonb_typeof(prelude) = 'array');
