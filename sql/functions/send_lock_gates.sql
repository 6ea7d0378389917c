-- Pauses, calendars and places of campaigns change one after the other: each sees all that was changed before it, and
-- none keeps a lane closed that another has just opened. Taken before any row, so that none waits for a lane that
-- another holds while it waits for this.
create or replace function send_lock_gates() returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'send-queue', 'gates', current_schema()), 0))
$$;
