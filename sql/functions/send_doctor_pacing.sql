-- Report LinkedIn lanes without a gap, a cap or a schedule, with the command that sets it: LinkedIn closes seats that
-- send at a machine's pace.
create or replace function send_doctor_pacing()
returns table (rank int, "check" text, severity text, what text, command jsonb) language sql stable
set jit = off as $$
    select 16, 'unpaced', 'worth knowing', format('The lane %s %s has no %s, and LinkedIn closes seats that send like '
            'machines.', a.name || case when w.name <> 'default' then ' of ' || w.name else '' end, l.channel,
            concat_ws(', no ', case when l.min_gap_seconds = 0 then 'gap' end, case when l.daily_cap is null then 'cap' end,
                case when n.schedule then 'schedule' end)),
        case when l.min_gap_seconds = 0 or l.daily_cap is null
            then jsonb_build_array('lane', 'set', a.name, l.channel)
                || case when l.min_gap_seconds = 0 then '["--min-gap", "10m", "--jitter", "10m"]' else '[]'::jsonb end
                || case when l.daily_cap is null then '["--daily-cap", "20"]' else '[]'::jsonb end
            else jsonb_build_array('account', 'set', a.name, '--schedule', 'NAME') end
        || case when w.name <> 'default' then jsonb_build_array('--workspace', w.name) else '[]' end
    from send_lanes l
    join send_accounts a on a.id = l.account_id and a.provider <> 'log'
    join send_workspaces w on w.id = a.workspace_id
    cross join lateral (
        select a.schedule_id is null and not exists (
            select from send_campaign_accounts p join send_campaigns c on c.id = p.campaign_id and c.status = 'active'
            where p.account_id = a.id and p.in_pool having count(*) > 0 and bool_and(c.schedule_id is not null))
            as schedule) n
    where l.channel in ('linkedin_invite', 'linkedin_message')
      and (l.min_gap_seconds = 0 or l.daily_cap is null or n.schedule)
$$;
