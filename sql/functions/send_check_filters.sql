-- Refuse a filter with an unknown name: a misspelt name must not look like an idle queue. Null passes, and so does a
-- name that several workspaces use: it means all of them.
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
