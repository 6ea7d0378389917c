-- Return the zones in use: findings for those that this server does not know, with their rows, and the names of the
-- others, which `send-queue doctor` compares with Python's.
--
-- Returns {findings: as in send_doctor, zones: [names]}. Prospects are read once; the rest is small. Zones of phone
-- numbers are in use if an account has a channel with quiet hours.
create or replace function send_zones_doctor() returns jsonb language sql stable as $$
    with lane as materialized (
        select distinct on (l.cap_timezone) l.cap_timezone as zone, a.name, l.channel, w.name as workspace,
            count(*) over (partition by l.cap_timezone) as n
        from send_lanes l
        join send_accounts a on a.id = l.account_id
        join send_workspaces w on w.id = a.workspace_id
        order by l.cap_timezone, w.name, a.name, l.channel
    ), used (zone, rank, said, command, place, mend) as materialized (
        select l.zone, 1, format('the caps of the lane %s %s%s are counted in it, so that nothing goes there', l.name,
                l.channel, case when l.n > 1 then format(' and of %s more', l.n - 1) end),
            jsonb_build_array('lane', 'set', l.name, l.channel, '--cap-timezone'),
            case when l.workspace <> 'default' then jsonb_build_array('--workspace', l.workspace) else '[]' end, null
        from lane l
        union all
        select s.timezone, 2, format('the schedule %s has it', s.name),
            jsonb_build_array('schedule', 'set', s.name, '--timezone'), '[]', null
        from send_schedules s
        union all
        select w.timezone, 3, format('the workspace %s has it', w.name),
            jsonb_build_array('workspace', 'set', w.name, '--timezone'), '[]', null
        from send_workspaces w
        union all
        select p.timezone, 4, format('prospects that have it: %s; those with quiet hours get nothing', count(*)), null, null,
            'update send_prospects set timezone = %2$L where timezone = %1$L'
        from send_prospects p where p.timezone is not null group by p.timezone
        union all
        select z.zone, 5, format('phone numbers that begin with %s have it', string_agg('+' || p.prefix, ', '
                order by p.prefix)), null, null,
            'update send_phone_zones set timezones = array_replace(timezones, %1$L, %2$L)'
        from send_phone_zones p cross join unnest(p.timezones) z (zone)
        where exists (select from send_lanes l join send_quiet_hours h on h.channel = l.channel)
        group by z.zone
    ), zone as materialized (
        select u.zone, send_is_timezone(u.zone) as known from (select distinct u.zone from used u) u
    )
    select jsonb_build_object(
        'zones', (select coalesce(jsonb_agg(z.zone order by z.zone), '[]') from zone z where z.known),
        'findings', (
            select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('check', 'timezone', 'severity', 'wrong',
                    'what', format('The database server does not know the time zone %s: %s.', u.zone, u.said),
                    'command', u.command || to_jsonb(k.name) || u.place,
                    'mend', format(u.mend, u.zone, k.name))) order by u.rank, u.zone, u.said), '[]')
            from used u
            join zone z on z.zone = u.zone and not z.known
            cross join lateral (select coalesce(send_timezone(u.zone), 'NAME') as name) k))
$$;
