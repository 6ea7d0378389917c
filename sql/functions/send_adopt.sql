-- A person's word that this database is no copy any more, but the queue itself: it sends from here on.
--
-- since  null: nothing was sent after the copy was made. Else sends went out after that moment, of which the copy does
--        not know: all that was in flight or due since then is in doubt (send_doubt), so that providers are asked. That
--        may be said of a database that was set back in place too, which is no copy.
--
-- Returns {copy, in_doubt, waiting}: whether it was a copy, how many sends came in doubt, how many are pending.
create or replace function send_adopt(since timestamptz default null, at timestamptz default null)
returns jsonb language plpgsql as $$
declare
    v_at    timestamptz := coalesce(send_adopt.at, clock_timestamp());
    v_copy  boolean;
    v_doubt int := 0;
begin
    if since > v_at then
        raise exception 'The moment % is still to come: name the one that the copy was made at.', since
            using errcode = 'SQ002';
    end if;
    lock table send_database in share row exclusive mode; -- one adopts at a time
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
