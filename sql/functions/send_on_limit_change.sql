-- A limit that is added, changed or removed: the lanes that it holds, or held, look again. Each is locked, whatever it
-- waits for, so that a claim that is counting by the old limits is waited for. No other lane is: a limit that comes
-- with a new lane is none of their business.
create or replace function send_on_limit_change() returns trigger language plpgsql as $$
begin
    perform from send_lanes l join send_accounts a on a.id = l.account_id
    where tg_op <> 'DELETE' and a.workspace_id = new.workspace_id
          and (new.account_id is null or l.account_id = new.account_id)
          and (new.channel is null or l.channel = new.channel)
       or tg_op <> 'INSERT' and a.workspace_id = old.workspace_id
          and (old.account_id is null or l.account_id = old.account_id)
          and (old.channel is null or l.channel = old.channel)
    order by l.account_id, l.channel for no key update of l;
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    from send_accounts a
    where a.id = l.account_id and l.next_at_reason = 'rate_limit'
      and (tg_op <> 'DELETE' and a.workspace_id = new.workspace_id
           and (new.account_id is null or l.account_id = new.account_id)
           and (new.channel is null or l.channel = new.channel)
           or tg_op <> 'INSERT' and a.workspace_id = old.workspace_id
           and (old.account_id is null or l.account_id = old.account_id)
           and (old.channel is null or l.channel = old.channel));
    return null;
end
$$;

create or replace trigger limit_changed after insert or update or delete on send_limits
for each row execute function send_on_limit_change();
