-- A limit that is added, changed or removed: the lanes that it holds, or may have held, look again. Each is locked,
-- whatever it waits for, so that a claim that is counting by the old limits is waited for.
create or replace function send_on_limit_change() returns trigger language plpgsql as $$
declare
    v_workspace uuid := case when tg_op = 'DELETE' then old.workspace_id else new.workspace_id end;
begin
    perform from send_lanes l join send_accounts a on a.id = l.account_id
    where a.workspace_id = v_workspace order by l.account_id, l.channel for no key update of l;
    update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
    from send_accounts a
    where a.id = l.account_id and a.workspace_id = v_workspace and l.next_at_reason = 'rate_limit';
    return null;
end
$$;

create or replace trigger limit_changed after insert or update or delete on send_limits
for each row execute function send_on_limit_change();
