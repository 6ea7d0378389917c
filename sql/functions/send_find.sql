-- Return the id of a named workspace, account, campaign or schedule (`kind`). The workspace may be null if the name is
-- unique. Raises SQ005 if none exists, SQ002 if several do.
create or replace function send_find(kind text, name text, workspace text default null) returns uuid
language plpgsql stable as $$
#variable_conflict use_column
declare
    v_ids   uuid[];
    v_close text;
begin
    case kind
        when 'workspace' then
            select array_agg(w.id) into v_ids from send_workspaces w where w.name = send_find.name;
        when 'schedule' then
            select array_agg(s.id) into v_ids from send_schedules s where s.name = send_find.name;
        when 'account' then
            select array_agg(a.id) into v_ids from send_accounts a join send_workspaces w on w.id = a.workspace_id
            where a.name = send_find.name and (send_find.workspace is null or w.name = send_find.workspace);
        when 'campaign' then
            select array_agg(c.id) into v_ids from send_campaigns c join send_workspaces w on w.id = c.workspace_id
            where c.name = send_find.name and (send_find.workspace is null or w.name = send_find.workspace);
    end case;
    if v_ids is null then
        if send_find.workspace is not null and kind in ('account', 'campaign') then
            perform send_find('workspace', send_find.workspace, null);
            v_close := format(' in the workspace %s', quote_literal(send_find.workspace));
        end if;
        raise exception 'There is no % %: see `send-queue % list`, or add it with `send-queue % add`.',
            kind, quote_literal(coalesce(send_find.name, '')) || coalesce(v_close, ''), kind, kind using errcode = 'SQ005';
    elsif cardinality(v_ids) > 1 then
        raise exception 'There are % %s named %: name the workspace.',
            cardinality(v_ids), kind, quote_literal(send_find.name) using errcode = 'SQ002';
    end if;
    return v_ids[1];
end
$$;
