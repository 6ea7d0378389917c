-- A pause holds from the moment it commits: it waits for the claims under way on the lanes that it stops (their rows
-- are then in flight), and claims that come later pass those lanes by until it has committed.
create or replace function send_on_pause() returns trigger language plpgsql as $$
begin
    perform from send_lanes l join send_accounts a on a.id = l.account_id
    where case tg_table_name
        when 'send_workspaces' then a.workspace_id = new.id
        when 'send_accounts' then a.id = new.id
        else a.id in (select p.account_id from send_campaign_accounts p where p.campaign_id = new.id) end
    order by l.account_id, l.channel for no key update of l;
    return null;
end
$$;

create or replace trigger workspace_paused after update of paused_at on send_workspaces for each row
when (old.paused_at is null and new.paused_at is not null) execute function send_on_pause();

create or replace trigger account_paused after update of status on send_accounts for each row
when (old.status = 'active' and new.status <> 'active') execute function send_on_pause();

create or replace trigger campaign_paused after update of status on send_campaigns for each row
when (old.status = 'active' and new.status <> 'active') execute function send_on_pause();
