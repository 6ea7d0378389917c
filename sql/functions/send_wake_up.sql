-- Lanes into which something was written that is due earlier than they were told (send_on_waiting) are met by claims
-- again. One that somebody holds is left for the next call.
create or replace function send_wake_up() returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_lanes text[];
begin
    v_lanes := array(
        select l.account_id || l.channel from send_lanes l
        where (l.account_id, l.channel) in (select w.account_id, w.channel from send_wakes w)
        for no key update of l skip locked);
    update send_lanes l set idle_until = 'epoch'
    from (select distinct w.account_id, w.channel from send_wakes w) said
    where l.account_id = said.account_id and l.channel = said.channel and l.account_id || l.channel = any (v_lanes)
      and l.idle_until > 'epoch';
    -- Also what was said in between: the lane is ours, and awake.
    delete from send_wakes w where w.account_id || w.channel = any (v_lanes);
end
$$;

-- With its owner's rights, so that a worker's role need not delete anything.
select send_as_owner('send_wake_up');
