-- Refuse to give a pending row to an account that does not serve its channel: it could never send it.
create or replace function send_on_account_change() returns trigger language plpgsql as $$
declare
    v_unserved text := send_unserved(new.account_id, new.channel);
begin
    if v_unserved is not null then
        raise exception '%: name an account that does, or use another channel.', v_unserved using errcode = 'SQ002';
    end if;
    return new;
end
$$;

create or replace trigger account_serves_the_channel before update of account_id, channel on send_queue for each row
when (new.status = 'pending' and (new.account_id <> old.account_id or new.channel <> old.channel))
execute function send_on_account_change();
