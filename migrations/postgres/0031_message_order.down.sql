drop trigger message_follows_thread on netra.message;
drop function netra.follow_thread();
