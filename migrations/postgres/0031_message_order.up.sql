-- not breaking: puts a message behind those that its thread has, so that the ids are in the order of commits
-- A node makes the id before it asks, by its own clock: a question that waited for the admission lock, or for the run before
-- it to end, could appear behind a cursor that had gone past it, and so could an answer of a node whose clock is late.
-- Who writes has what keeps the thread's other writers away until it commits: an admission the organisation's lock and the
-- busy run's row (0019), an end the row of its run, and a thread has one run at a time. So later here is later for all.
-- Such a message gets the UUIDv7 that is 1/4096 ms behind the last one. An id that is there already stays as it is: the
-- same insert again conflicts.
create function netra.follow_thread() returns trigger
  language plpgsql set search_path = pg_catalog as $$
declare
  v_last uuid;
  v_hex text;
  v_next text;
begin
  select m.message_id into v_last from netra.message m
   where m.org_id = new.org_id and m.thread_id = new.thread_id order by m.message_id desc limit 1;
  if new.message_id < v_last and not exists (select from netra.message m
      where m.org_id = new.org_id and m.thread_id = new.thread_id and m.message_id = new.message_id) then
    v_hex := translate(v_last::text, '-', '');
    v_next := lpad(to_hex(('x0' || left(v_hex, 12) || substr(v_hex, 14, 3))::bit(64)::bigint + 1), 15, '0');
    new.message_id := left(v_next, 12) || '7' || right(v_next, 3)
      || right(translate(gen_random_uuid()::text, '-', ''), 16);
  end if;
  return new;
end
$$;
create trigger message_follows_thread before insert on netra.message
  for each row execute function netra.follow_thread();
