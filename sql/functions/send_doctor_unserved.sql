-- Report pending sends of an account whose provider does not serve their channel, where they would fail, with an
-- account that could take them.
create or replace function send_doctor_unserved()
returns table (rank int, "check" text, severity text, what text, command jsonb) language sql stable
set jit = off as $$
    select 3, 'not_served', 'wrong', format('%s, and sends wait there: %s.', l.said, n.n),
        jsonb_build_array('reassign', l.name, '--to', coalesce((
                select min(a.name) from send_accounts a
                where a.workspace_id = l.workspace_id and a.status = 'active'
                  and send_unserved(a.id, l.channel) is null), 'NAME'), '--channel', l.channel)
            || case when l.workspace <> 'default' then jsonb_build_array('--workspace', l.workspace) else '[]' end
    from (select l.account_id, l.channel, a.name, a.workspace_id, w.name as workspace,
              send_unserved(l.account_id, l.channel) as said
          from send_provider_channels s
          join send_accounts a on a.provider = s.provider
          join send_workspaces w on w.id = a.workspace_id
          join send_lanes l on l.account_id = a.id
          where not exists (
              select from send_provider_channels o where o.provider = a.provider and o.channel = l.channel)
          group by l.account_id, l.channel, a.name, a.workspace_id, w.name) l
    cross join lateral (
        select count(*) as n from send_queue q
        where q.status = 'pending' and (q.account_id, q.channel)
            between (l.account_id, l.channel) and (l.account_id, l.channel)) n
    where l.said is not null and n.n > 0
$$;
