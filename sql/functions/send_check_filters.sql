-- Refuse a filter that names what is not there: a misspelt name is not a quiet queue. A name that several workspaces use
-- is let through, and means all of them; so is null.
create or replace function send_check_filters(account text, channel text, campaign text) returns void
language plpgsql stable as $$
begin
    if account is not null and not exists (select from send_accounts a where a.name = send_check_filters.account) then
        perform send_find('account', account, null);
    end if;
    if campaign is not null and not exists (select from send_campaigns c where c.name = send_check_filters.campaign) then
        perform send_find('campaign', campaign, null);
    end if;
    perform send_check_channel(channel);
end
$$;
