-- Lock lanes, and before them the limits of accounts that get something back; reopen the lanes that wait for these
-- limits. Call it first in a transaction, after accounts: a transaction with locked rows may wait for no lane.
--
-- Claims make lanes wait under the limit's lock, and only try for that lock; so while we hold it, we see each waiting
-- lane. A lane that another transaction holds is not waited for: the next claim reopens it (send_apply_wakes). Limits
-- come before lanes, as in send_on_limit_change; if a limit was added meanwhile, release all and begin anew.
--
-- giving   the accounts that get something back (send_give_back); null: none
create or replace function send_lock_lanes(account_ids uuid[], channels text[], giving uuid[]) returns void
language plpgsql set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_workspaces uuid[] := array(select distinct a.workspace_id from send_accounts a where a.id = any (giving));
    v_limits     uuid[];
begin
    for v_round in 1..100 loop
        begin
            v_limits := array(
                select m.id from send_limits m
                where m.workspace_id = any (v_workspaces) and (m.account_id is null or m.account_id = any (giving))
                order by m.id for update);
            perform from send_lanes l
            join unnest(account_ids, channels) own (account_id, channel) using (account_id, channel)
            order by l.account_id, l.channel for no key update of l;
            exit when not exists (
                select from send_limits m
                where m.workspace_id = any (v_workspaces) and (m.account_id is null or m.account_id = any (giving))
                  and m.id <> all (v_limits));
            raise exception 'a limit was added' using errcode = 'SQ001';
        exception when sqlstate 'SQ001' then -- which releases the locks above
            if v_round = 100 then
                raise exception 'limits are added all the time' using errcode = 'lock_not_available';
            end if;
        end;
    end loop;

    if cardinality(v_limits) > 0 then
        update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
        from (select o.account_id, o.channel from send_accounts a join send_lanes o on o.account_id = a.id
              where a.workspace_id = any (v_workspaces) and o.next_at_reason = 'rate_limit'
              for no key update of o skip locked) waiting
        where l.account_id = waiting.account_id and l.channel = waiting.channel;
        insert into send_wakes (account_id, channel)
        select l.account_id, l.channel from send_accounts a join send_lanes l on l.account_id = a.id
        where a.workspace_id = any (v_workspaces) and l.next_at_reason = 'rate_limit' and not exists (
            select from send_wakes s where s.account_id = l.account_id and s.channel = l.channel);
    end if;
end
$$;
