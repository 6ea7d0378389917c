-- Refuse to run in a copy (SQ007): the first call of each function that leads to a provider's call.
create or replace function send_refuse_copy() returns void language plpgsql stable as $$
begin
    if send_is_copy() then
        raise exception 'This database is a copy, and a copy sends nothing by itself: once the original sends no more, run '
            '`send-queue adopt --since` with the moment of the copy, or `send-queue adopt --nothing-was-sent` if nothing '
            'went out after it.' using errcode = 'SQ007';
    end if;
end
$$;
