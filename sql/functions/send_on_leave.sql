-- Note the moment at which an account leaves a campaign's pool: its prospects stay its own until a person names a
-- successor (send_own_account). An account that returns writes to them itself.
create or replace function send_on_leave() returns trigger language plpgsql as $$
begin
    new.left_at := case when not new.in_pool then clock_timestamp() end;
    if new.in_pool then
        delete from send_successors s where s.campaign_id = new.campaign_id and s.account_id = new.account_id;
    end if;
    return new;
end
$$;

create or replace trigger place_left before update on send_campaign_accounts for each row
when (old.in_pool <> new.in_pool) execute function send_on_leave();
