-- Declare that this database is the queue itself, no longer a copy: it sends from here on.
--
-- since  null: nothing was sent after the copy was made. Else sends went out after that moment, unknown to the copy:
--        all that were in flight or due since then are in doubt (send_doubt), and runs query the providers. A database
--        restored in place can name it too.
--
-- Returns {copy, in_doubt, waiting}: whether it was a copy, the number of sends put in doubt, the number pending.
create or replace function send_adopt(since timestamptz default null, at timestamptz default null)
returns jsonb language plpgsql as $$
declare
    v_at    timestamptz := coalesce(send_adopt.at, clock_timestamp());
    v_copy  boolean;
    v_doubt int := 0;
begin
    if since > v_at then
        raise exception 'The moment % is in the future: name the moment at which the copy was made.', since
            using errcode = 'SQ002';
    end if;
    lock table send_database in share row exclusive mode; -- one adoption at a time
    v_copy := send_is_copy();
    if since is not null then
        v_doubt := send_doubt(since, v_at);
    end if;
    if v_copy then
        perform send_note_database();
    end if;
    return jsonb_build_object('copy', v_copy, 'in_doubt', v_doubt,
        'waiting', (select count(*) from send_queue q where q.status = 'pending'));
end
$$;
