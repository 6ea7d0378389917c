-- Refuse any isolation level but READ COMMITTED for a function that counts after it locks: its snapshot would be older
-- than the lock.
create or replace function send_needs_read_committed() returns void language plpgsql stable as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'This counts after it locks, which needs READ COMMITTED, not %: call it after `begin isolation '
            'level read committed`.', upper(current_setting('transaction_isolation')) using errcode = 'serialization_failure';
    end if;
end
$$;
