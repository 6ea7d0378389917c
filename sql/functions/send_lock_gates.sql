-- Serialize changes of pauses, schedules and campaign places: each sees all earlier ones, and none keeps a lane closed
-- that another has just opened. Taken before any row lock, so that no waiter holds a lane that the lock's holder needs.
create or replace function send_lock_gates() returns void language sql as $$
    select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'send-queue', 'gates', current_schema()), 0))
$$;
