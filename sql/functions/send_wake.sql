-- A limit of an account or a workspace keeps other lanes waiting too: let them look again when something was given back
-- to these accounts. The last thing in a transaction, since it holds lanes in no order; one that is locked just now is
-- counting anyway.
create or replace function send_wake(account_ids uuid[]) returns void language plpgsql as $$
begin
    if exists (select from send_limits m join send_accounts a on a.workspace_id = m.workspace_id
               where a.id = any (account_ids)) then
        update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
        from (select o.account_id, o.channel from send_lanes o
              join send_accounts a on a.id = o.account_id
              where a.workspace_id in (select m.workspace_id from send_accounts m where m.id = any (account_ids))
                and o.next_at_reason = 'rate_limit'
              for no key update of o skip locked) waiting
        where l.account_id = waiting.account_id and l.channel = waiting.channel;
    end if;
end
$$;
