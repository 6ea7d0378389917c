-- Notify an address of events of a workspace from now on; for events already set, change only `every`. Returns the
-- notifications as send_list_notifications shows them. Raises SQ002 if an argument is invalid, SQ006 if the account's
-- name is taken.
--
-- Notifications go through the queue, from an account made for them in the campaign `notifications`. A secret address
-- is in no table: secret_env names its variable, and the account's name includes it.
create or replace function send_set_notification(events text[], provider text, recipient text,
    secret_env text default null, every interval default '15 minutes', workspace text default 'default',
    at timestamptz default null)
returns setof jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_at        timestamptz := coalesce(send_set_notification.at, clock_timestamp());
    v_workspace uuid := send_find('workspace', send_set_notification.workspace, null);
    v_name      text := concat_ws(':', 'notifications', send_set_notification.secret_env);
    v_account   send_accounts;
    v_campaign  uuid;
begin
    insert into send_accounts (workspace_id, name, provider, secret_env)
    values (v_workspace, v_name, send_set_notification.provider, send_set_notification.secret_env)
    on conflict (workspace_id, name) do nothing;
    select a.* into strict v_account from send_accounts a where a.workspace_id = v_workspace and a.name = v_name;
    if (v_account.provider, v_account.secret_env)
       is distinct from (send_set_notification.provider, send_set_notification.secret_env) then
        raise exception 'The account % is not for notifications through %: rename it, since they need its name.',
            quote_literal(v_name), send_set_notification.provider using errcode = 'SQ006';
    end if;
    -- Resend a notification in doubt: twice is better than never, and no person needs to settle it.
    insert into send_campaigns (workspace_id, name, on_uncertain) values (v_workspace, 'notifications', 'resend')
    on conflict (workspace_id, name) do nothing;
    select c.id into strict v_campaign from send_campaigns c
    where c.workspace_id = v_workspace and c.name = 'notifications';
    perform send_ensure_place(v_workspace, v_campaign, v_account.id, 'webhook');

    return query
    with made as (
        insert into send_notifications as n (workspace_id, campaign_id, account_id, recipient, event, every, created_at,
            looked_at, known)
        select v_workspace, v_campaign, v_account.id, send_set_notification.recipient, e.event,
            send_set_notification.every, v_at, v_at,
            -- The present state is no news.
            case e.event
                when 'disconnected' then array(select a.id from send_accounts a
                    where a.workspace_id = v_workspace and a.status = 'disconnected')
                when 'finished' then send_unfinished_campaigns(v_workspace, v_campaign)
                else '{}' end
        from unnest(events) e (event)
        on conflict on constraint told_once_at_an_address do update set every = excluded.every
        returning n.*)
    select jsonb_build_object('id', m.id, 'workspace', send_set_notification.workspace, 'event', m.event,
        'provider', v_account.provider, 'to', m.recipient, 'every', m.every, 'told_at', m.told_at)
    from made m order by m.event;
end
$$;
