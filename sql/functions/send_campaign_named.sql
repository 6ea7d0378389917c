-- The campaign that a message is for, by its name. Without a workspace it is that of the workspace `default`; where that
-- has none of this name, the one that was made first: so whoever adds a campaign elsewhere changes nobody's calls.
-- `within`: the workspaces that the caller sees (send_bound_workspaces); the others are as if they did not exist.
--
-- Raises SQ005 where there is none.
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
