-- breaking: what was said before a conversation came here is told to no model any more
alter table netra.thread drop column prelude;
