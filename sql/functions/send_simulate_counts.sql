-- Shadow the tables that limits count with temporary copies until the end of the transaction: send_remaining_capacity
-- then counts the simulated sends (send_simulate_capacities), and no other transaction waits. The caller rolls back.
--
-- Of each rolling limit only the newest max_sends attempts that still count are copied, and of them only the columns
-- counted by, so the cost does not grow with history.
create or replace function send_simulate_counts(at timestamptz) returns void language plpgsql as $$
begin
    perform send_prepare_copies();
    execute format($copy$
        create temporary table send_usage on commit drop as
        select u.account_id, u.channel, u.day, case when $2 then u.used else u.used - u.rehearsed end as used,
            0 as rehearsed
        from %1$I.send_usage u where u.day >= $1::date - 8
    $copy$, current_schema()) using at, send_to_come(at);
    execute format($copy$
        create temporary table send_attempts on commit drop as
        select distinct t.id, t.workspace_id, t.account_id, t.channel, t.started_at, t.outcome, false as rehearsed,
            null::date as day
        from send_limits m cross join lateral (
            select b.* from %1$I.send_attempts b
            where m.account_id is null and b.workspace_id = m.workspace_id
              and b.started_at > $1 - send_period(m.per) and ($2 or not b.rehearsed)
              and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
              and (m.channel is null or b.channel = m.channel)
            order by b.started_at desc limit m.max_sends) t
        union
        select distinct t.id, t.workspace_id, t.account_id, t.channel, t.started_at, t.outcome, false as rehearsed,
            null::date as day
        from send_limits m cross join lateral (
            select b.* from %1$I.send_attempts b
            where b.account_id = m.account_id
              and b.started_at > $1 - send_period(m.per) and ($2 or not b.rehearsed)
              and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
              and (m.channel is null or b.channel = m.channel)
            order by b.started_at desc limit m.max_sends) t
    $copy$, current_schema()) using at, send_to_come(at);
    create unique index on send_usage (account_id, channel, day);
    create index on send_attempts (workspace_id, started_at);
    if exists (select from send_limits m where m.account_id is not null) then
        create index on send_attempts (account_id, started_at);
    end if;
    -- Cached plans of this session may still name the real tables.
    discard plans;
end
$$;
