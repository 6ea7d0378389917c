-- Count for a doctor the first max_rows pending rows, in due order, that have quiet hours, by campaign, schedule and
-- quiet hours (words: from, until, zones).
--
-- Returns [{campaign, workspace, schedule: a row or null, quiet, sends}].
create or replace function send_quiet_doctor(max_rows int default 10000) returns jsonb language sql stable as $$
    select coalesce(jsonb_agg(jsonb_build_object('campaign', c.name, 'workspace', w.name, 'quiet', g.words,
        'sends', g.sends, 'schedule', case when s.id is not null then to_jsonb(s) end) order by w.name, c.name, g.words), '[]')
    from (
        select q.campaign_id, q.account_id, concat_ws(' ', to_char(z.quiet_from, 'HH24:MI'),
            to_char(z.quiet_until, 'HH24:MI'), array_to_string(z.zones, ' ')) as words, count(*) as sends
        from (
            select q.id, q.campaign_id, q.account_id from send_queue q
            join send_campaigns c on c.id = q.campaign_id
            where q.status = 'pending' and (
                c.quiet_from is not null or exists (select from send_quiet_hours h where h.channel = q.channel))
            order by q.scheduled_for limit max_rows) q
        cross join lateral send_quiet_of(q.id) z
        where z.quiet_from is not null
        group by 1, 2, 3) g
    join send_campaigns c on c.id = g.campaign_id and c.status = 'active'
    join send_workspaces w on w.id = c.workspace_id
    join send_accounts a on a.id = g.account_id
    left join send_schedules s on s.id = coalesce(c.schedule_id, a.schedule_id)
$$;
