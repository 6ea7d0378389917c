-- Whether a moment that a caller gives is one to come, so that it rehearses. Not within an hour: then it may be the clock
-- of another server, whose limits count here too.
create or replace function send_to_come(at timestamptz) returns boolean language sql stable as $$
    select coalesce(send_to_come.at > clock_timestamp() + interval '1 hour', false)
$$;
