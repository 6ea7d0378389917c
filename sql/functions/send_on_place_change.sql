-- Update the gates of an account that joins or leaves a campaign, at the commit: until then no claim waits for the
-- caller's long transaction.
create or replace function send_on_place_change() returns trigger language plpgsql as $$
begin
    perform send_lock_gates();
    perform send_close_lanes(array[coalesce(new.account_id, old.account_id)]);
    return null;
end
$$;

drop trigger if exists place_changed on send_campaign_accounts;
create constraint trigger place_changed after insert or delete on send_campaign_accounts
deferrable initially deferred for each row execute function send_on_place_change();
