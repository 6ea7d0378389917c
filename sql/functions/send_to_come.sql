-- Return whether a given moment is in the future, so that it rehearses. A moment within the next hour is not: it may be
-- the clock of another server whose limits count here too.
create or replace function send_to_come(at timestamptz) returns boolean language sql stable as $$
    select coalesce(send_to_come.at > clock_timestamp() + interval '1 hour', false)
$$;
