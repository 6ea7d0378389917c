-- What stops lanes or lets them go (pauses, calendars, which campaigns an account is in) is worked out for them when it
-- changes, so that a claim need not look at lanes that cannot go (send_close_lanes).
--
-- A pause holds from the moment it commits: it waits for the claims under way on the lanes that it stops (their rows
-- are then in flight), and claims that come later pass those lanes by until it has committed. All lanes that one
-- statement touches are locked in the one order, across workspaces too, since results are recorded across workspaces.
--
-- Two such changes at once would each miss what the other changes: they are made one after the other (send_lock_gates).
create or replace function send_on_gate_change() returns trigger language plpgsql as $$
declare
    v_accounts uuid[];
begin
    if tg_when = 'BEFORE' then
        perform send_lock_gates();
        return null;
    end if;
    case tg_table_name
        when 'send_workspaces' then
            v_accounts := array(
                select a.id from changed n join before o using (id) join send_accounts a on a.workspace_id = n.id
                where (o.paused_at is null) <> (n.paused_at is null));
        when 'send_accounts' then
            v_accounts := array(
                select n.id from changed n join before o using (id)
                where (o.status = 'active', o.schedule_id) is distinct from (n.status = 'active', n.schedule_id));
        when 'send_campaigns' then
            v_accounts := array(
                select p.account_id from changed n join before o using (id)
                join send_campaign_accounts p on p.campaign_id = n.id
                where (o.status = 'active', o.schedule_id) is distinct from (n.status = 'active', n.schedule_id));
        when 'send_schedules' then
            v_accounts := array(
                select a.id from changed n join before o using (id) join send_accounts a on a.schedule_id = n.id
                where o.opens_at is distinct from n.opens_at
                union
                select p.account_id from changed n join before o using (id) join send_campaigns c on c.schedule_id = n.id
                join send_campaign_accounts p on p.campaign_id = c.id
                where o.opens_at is distinct from n.opens_at);
    end case;
    perform send_close_lanes(v_accounts);
    return null;
end
$$;

create or replace trigger gate_changes before update of paused_at on send_workspaces
for each statement execute function send_on_gate_change();
create or replace trigger gate_changed after update on send_workspaces
referencing old table as before new table as changed for each statement execute function send_on_gate_change();

create or replace trigger gate_changes before update of status, schedule_id on send_accounts
for each statement execute function send_on_gate_change();
create or replace trigger gate_changed after update on send_accounts
referencing old table as before new table as changed for each statement execute function send_on_gate_change();

create or replace trigger gate_changes before update of status, schedule_id on send_campaigns
for each statement execute function send_on_gate_change();
create or replace trigger gate_changed after update on send_campaigns
referencing old table as before new table as changed for each statement execute function send_on_gate_change();

create or replace trigger gate_changes before update on send_schedules
for each statement execute function send_on_gate_change();
create or replace trigger gate_changed after update on send_schedules
referencing old table as before new table as changed for each statement execute function send_on_gate_change();
