-- Tell lanes whose turn is before `turn`, and that have nothing due at `at` in any active campaign, until when: a
-- bounded number a call, the oldest turns first, whatever their windows and limits are. Each is not met by claims until
-- then, or for an hour or two: should somebody pass by what wakes them, it only makes us wait. A campaign that is
-- resumed wakes its lanes (send_close_lanes).
--
-- Nobody is writing something due into a lane meanwhile: who does shares the lane's key until they commit
-- (send_on_waiting), and here it is had alone, or the lane passed by. So what is not seen here is written later, by
-- somebody who sees what is noted here, and wakes the lane. Like a claim it waits for nobody.
create or replace function send_mark_idle(turn timestamptz, at timestamptz) returns void language plpgsql
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_accounts uuid[];
    v_channels text[];
    v_ours     bigint[];
    v_account  uuid;
    v_channel  text;
    v_due_at   timestamptz;
begin
    -- Looks at an index for each lane, never a join (why in this form: send_claim). One that is at work is not idle.
    select array_agg(idle.account_id), array_agg(idle.channel) into v_accounts, v_channels
    from (
        select l.account_id, l.channel from send_lanes l
        where greatest(l.next_at, l.closed_until, l.idle_until) < turn and l.paused_at is null
          and (select f.id from send_queue f
               where f.account_id = l.account_id and f.channel = l.channel and f.status = 'sending' limit 1) is null
        order by greatest(l.next_at, l.closed_until, l.idle_until) limit 500) idle
    where (
        select head.scheduled_for from send_campaign_accounts p
        cross join lateral (select from send_campaigns c where c.id = p.campaign_id and c.status = 'active' limit 1) c
        cross join lateral send_first_pending(idle.account_id, idle.channel, p.campaign_id, 1) head
        where p.account_id = idle.account_id and head.scheduled_for <= send_mark_idle.at limit 1) is null;

    v_ours := array(select k.key from (select distinct send_sleep_key(i) as key from unnest(v_accounts) i) k
                    where pg_try_advisory_xact_lock(k.key));
    for v_account, v_channel in select * from unnest(v_accounts, v_channels) loop
        continue when send_sleep_key(v_account) <> all (v_ours);
        perform from send_lanes l where l.account_id = v_account and l.channel = v_channel
        for no key update skip locked;
        continue when not found;
        -- A later statement, which sees what was committed before the keys were ours.
        select coalesce(min(head.scheduled_for), '9999-12-31') into v_due_at
        from send_campaign_accounts p
        cross join lateral (select from send_campaigns c where c.id = p.campaign_id and c.status = 'active' limit 1) c
        cross join lateral send_first_pending(v_account, v_channel, p.campaign_id, 1) head
        where p.account_id = v_account;
        update send_lanes l set idle_until = least(v_due_at, send_mark_idle.at + (1::float8 + random()) * interval '1 hour')
        where l.account_id = v_account and l.channel = v_channel and v_due_at > send_mark_idle.at;
    end loop;
end
$$;
