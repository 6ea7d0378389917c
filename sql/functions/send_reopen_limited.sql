-- Lock lanes, in the one order, and let those look again that wait for a limit of an account or of a workspace, since
-- something is to be given back to the accounts in `giving`. First in a transaction, but for accounts: who holds a row
-- waits for no lane.
--
-- None of the sleepers may be passed by because somebody holds it for a moment: it would sleep on until the limit's
-- period is over, which may be months. To wait for one with rows in hand could be a deadlock, so they are locked here,
-- together with the caller's own. Then claims are kept out, which count and put lanes to sleep (they only try for the
-- key, and wait for nobody). A lane that fell asleep in between is locked too, if nobody holds it; if somebody does, all
-- is let go of and begun anew: its holder may be waiting for the key, as we did, so nobody waits for a lane with the
-- key in hand. After 100 times it gives up, with an error after which callers try again.
create or replace function send_reopen_limited(account_ids uuid[], channels text[], giving uuid[] default '{}')
returns void language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_workspaces uuid[] := array(select distinct a.workspace_id from send_accounts a where a.id = any (giving));
    v_workspace  uuid;
    v_limited    uuid[]; -- those of them that have limits
    v_held       int;
    v_asleep     int;
begin
    for v_round in 1..100 loop
        begin
            perform from send_lanes l join (
                select * from unnest(account_ids, channels) own (account_id, channel)
                union
                select o.account_id, o.channel
                from send_accounts a join send_lanes o on o.account_id = a.id
                where a.workspace_id in (select m.workspace_id from send_limits m
                                         where m.workspace_id = any (v_workspaces))
                  and o.next_at_reason = 'rate_limit') wanted using (account_id, channel)
            order by l.account_id, l.channel for no key update of l;

            -- Looked for again: who adds a limit locks all lanes that it holds, so it is seen now or comes after us.
            v_limited := array(select distinct m.workspace_id from send_limits m
                               where m.workspace_id = any (v_workspaces) order by 1);
            exit when cardinality(v_limited) = 0;
            foreach v_workspace in array v_limited loop
                perform pg_advisory_xact_lock(send_limits_key(v_workspace));
            end loop;
            perform from send_accounts a join send_lanes l on l.account_id = a.id
            where a.workspace_id = any (v_limited) and l.next_at_reason = 'rate_limit'
            for no key update of l skip locked;
            get diagnostics v_held = row_count;
            select count(*) into v_asleep from send_accounts a join send_lanes l on l.account_id = a.id
            where a.workspace_id = any (v_limited) and l.next_at_reason = 'rate_limit';
            exit when v_held >= v_asleep;
            raise exception 'a lane that sleeps is held' using errcode = 'SQ001';
        exception when sqlstate 'SQ001' then -- what was locked above is free again
            if v_round = 100 then
                raise exception 'lanes that wait for a limit are held by others' using errcode = 'lock_not_available';
            end if;
        end;
    end loop;

    if cardinality(v_limited) > 0 then
        update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
        from send_accounts a
        where a.id = l.account_id and a.workspace_id = any (v_limited) and l.next_at_reason = 'rate_limit';
    end if;
end
$$;
