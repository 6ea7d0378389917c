-- Explain a claim without rows, by the lanes that may send (send_due) and that it did not look into (`passed`).
--
-- lock_skipped  another transaction holds such a lane, or the lane got its turn back after the claim's look
-- in_flight     the leases of lanes whose sends are all in flight: they change when another run progresses; null: none
create or replace function send_idle_reason(at timestamptz, account text, channel text, campaign text, without uuid[],
    passed text[], out lock_skipped boolean, out in_flight text)
language plpgsql as $$
#variable_conflict use_column
begin
    lock_skipped := exists ( -- a wake that was not applied
        select from send_wakes s
        join send_lanes l on l.account_id = s.account_id and l.channel = s.channel and l.paused_at is null
            and l.closed_until <= send_idle_reason.at
            and (l.next_at <= send_idle_reason.at or l.next_at_reason = 'rate_limit')
        join send_accounts a on a.id = l.account_id
        where (send_idle_reason.account is null or a.name = send_idle_reason.account)
          and (send_idle_reason.channel is null or l.channel = send_idle_reason.channel));
    -- The order makes the planner walk lanes_by_turn from its start and stop before waiting lanes.
    select lock_skipped or coalesce(bool_or(lanes.n < lanes.max_in_flight), false),
        string_agg(lanes.last_lease::text, ' ' order by lanes.last_lease)
    into lock_skipped, in_flight
    from (
        select l.max_in_flight, f.n, f.last_lease
        from send_lanes l
        cross join lateral (
            select count(*) as n, max(q.lease_expires_at) as last_lease from send_queue q
            where q.account_id = l.account_id and q.channel = l.channel and q.status = 'sending') f
        where greatest(l.next_at, l.closed_until, l.idle_until) <= send_idle_reason.at and l.paused_at is null
          and (send_idle_reason.channel is null or l.channel = send_idle_reason.channel)
          and l.account_id <> all (without) and l.account_id::text || l.channel <> all (passed)
          and exists (select from send_due(l.account_id, l.channel, send_idle_reason.at, send_idle_reason.account,
                                           send_idle_reason.campaign))
        order by greatest(l.next_at, l.closed_until, l.idle_until) limit 5) lanes;
end
$$;
