-- Return the quiet hours of a send and its recipient's zones; null: none. The zone is the prospect's, else that of the
-- phone number (several if it may belong to several), else of the account's schedule, else of the workspace.
create or replace function send_quiet_of(send_id uuid, out quiet_from time, out quiet_until time, out zones text[])
returns record language plpgsql stable as $$
#variable_conflict use_column
begin
    select coalesce(c.quiet_from, d.quiet_from), coalesce(c.quiet_until, d.quiet_until),
        coalesce(case when p.timezone is not null then array[p.timezone] end, (
            select z.timezones from send_phone_zones z
            where q.recipient ~ '^[+][0-9]' and z.prefix in (substr(q.recipient, 2, 1), substr(q.recipient, 2, 2),
                substr(q.recipient, 2, 3), substr(q.recipient, 2, 4))
            order by length(z.prefix) desc limit 1), '{}')
    into quiet_from, quiet_until, zones
    from send_queue q
    join send_campaigns c on c.id = q.campaign_id
    left join send_quiet_hours d on d.channel = q.channel
    left join send_prospects p on p.id = q.prospect_id and p.timezone is not null
    where q.id = send_quiet_of.send_id;
    if quiet_from is null or quiet_from = quiet_until then
        quiet_from := null;
        quiet_until := null;
        zones := null;
    elsif cardinality(zones) = 0 then
        select array[coalesce(s.timezone, w.timezone)] into zones
        from send_queue q
        join send_accounts a on a.id = q.account_id
        join send_workspaces w on w.id = q.workspace_id
        left join send_schedules s on s.id = a.schedule_id
        where q.id = send_quiet_of.send_id;
    end if;
end
$$;
