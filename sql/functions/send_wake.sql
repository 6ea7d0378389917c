-- A limit of an account or a workspace keeps other lanes waiting too: let them look again when something was given back
-- to these accounts.
--
-- A claim that counts just now would not see it, and put its lane to sleep after we have looked who sleeps: so claims
-- are waited for, and new ones pass by until we have committed. The last thing in a transaction, since it holds lanes
-- in no order.
create or replace function send_wake(account_ids uuid[]) returns void language plpgsql as $$
declare
    v_workspace uuid;
begin
    for v_workspace in
        select m.workspace_id from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
        where a.id = any (account_ids) group by m.workspace_id order by m.workspace_id
    loop
        perform pg_advisory_xact_lock(send_limits_key(v_workspace));
        update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
        from (select o.account_id, o.channel from send_lanes o join send_accounts a on a.id = o.account_id
              where a.workspace_id = v_workspace and o.next_at_reason = 'rate_limit'
              for no key update of o skip locked) waiting
        where l.account_id = waiting.account_id and l.channel = waiting.channel;
    end loop;
end
$$;
