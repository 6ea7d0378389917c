-- Have an address told of kinds of events of a workspace: what happens from now on. Telling it again of one that it is
-- told of already changes only how often.
--
-- What is told goes through the queue: from an account that is made for it, in the campaign `notifications`. An address
-- that is a secret is not in a table: secret_env names the variable that holds it, and the account has that name too.
-- Returns the notifications as send_list_notifications shows them. Raises SQ002 or
-- SQ006, with a sentence that says what to do.
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
        raise exception 'There is an account % that is not for notifications through %: that name is needed for them.',
            quote_literal(v_name), send_set_notification.provider using errcode = 'SQ006';
    end if;
    -- One that may have been told is told again: twice is better than never, and no doubt waits for a person.
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
            -- What is so already is no news.
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
