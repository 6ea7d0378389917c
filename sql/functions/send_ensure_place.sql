-- Make an account able to send for a campaign on a channel: its lane, with the defaults of the account's tier, and its
-- place in the campaign (outside the pool, since only this send named it).
create or replace function send_ensure_place(workspace_id uuid, campaign_id uuid, account_id uuid, channel text)
returns void language plpgsql as $$
#variable_conflict use_column
begin
    if not exists (select from send_campaign_accounts p
                   where p.campaign_id = send_ensure_place.campaign_id and p.account_id = send_ensure_place.account_id) then
        insert into send_campaign_accounts (workspace_id, campaign_id, account_id, in_pool)
        values (send_ensure_place.workspace_id, send_ensure_place.campaign_id, send_ensure_place.account_id, false)
        on conflict do nothing;
    end if;
    perform send_make_lane(account_id, channel);
end
$$;
