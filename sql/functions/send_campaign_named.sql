-- Return the campaign with a name. Without a workspace, that of the workspace `default` wins, then the oldest: a
-- campaign added elsewhere changes no caller's result.
--
-- within  the workspaces that the caller sees (send_bound_workspaces); no others exist for it
--
-- Raises SQ005 if no such campaign or workspace exists.
create or replace function send_campaign_named(campaign text, workspace text default null, within uuid[] default null)
returns uuid language plpgsql stable as $$
#variable_conflict use_column
declare
    v_id uuid;
begin
    select c.id into v_id
    from send_campaigns c join send_workspaces w on w.id = c.workspace_id
    where c.name = send_campaign_named.campaign
      and (send_campaign_named.workspace is null or w.name = send_campaign_named.workspace)
      and (within is null or c.workspace_id = any (within))
    order by w.name = 'default' desc, c.created_at, c.id limit 1;
    if v_id is null and send_campaign_named.workspace is not null and not exists (
        select from send_workspaces w where w.name = send_campaign_named.workspace
            and (within is null or w.id = any (within))) then
        raise exception 'There is no workspace %: see `send-queue workspace list`, or add it with `send-queue workspace '
            'add`.', quote_literal(send_campaign_named.workspace) using errcode = 'SQ005';
    elsif v_id is null then
        raise exception 'There is no campaign %: see `send-queue campaign list`, or add it with `send-queue campaign add`.',
            quote_literal(coalesce(send_campaign_named.campaign, ''))
            || coalesce(' in the workspace ' || quote_literal(send_campaign_named.workspace), '') using errcode = 'SQ005';
    end if;
    return v_id;
end
$$;
