-- Prepare a claim: undo an ended rehearsal, skip expired rows, wake lanes; and list the run's other work.
--
-- rehearsing      the claim is a rehearsal and leaves the marks of rehearsals alone
-- expired         number of rows skipped since their expires_at has passed, 500 a call at most
-- stale           schedules whose window has passed: the run computes the next one (send_set_windows)
-- expired_leases  whether a dead run left rows in `sending` (send_recover)
-- look_ups_due    whether a look-up of an uncertain row is due (send_look_ups)
create or replace function send_sweep(at timestamptz, rehearsing boolean, out expired int, out stale jsonb,
    out expired_leases boolean, out look_ups_due boolean)
language plpgsql as $$
#variable_conflict use_column
begin
    if not rehearsing and exists (select from send_rehearsed_lanes union all select from send_rehearsed_rows) then
        perform send_end_rehearsal('{}');
    end if;

    update send_queue q
    set status = 'skipped', error_code = 'expired', updated_at = send_sweep.at,
        error_message = format('It could not go out before it expired (%s).',
            to_char(q.expires_at, 'YYYY-MM-DD HH24:MI:SSOF'))
    where q.id = any (array(
        select late.id from send_queue late
        where late.status = 'pending' and late.expires_at <= send_sweep.at
        order by late.expires_at limit 500 for update skip locked));
    get diagnostics expired = row_count;

    if exists (select from send_wakes) then
        perform send_apply_wakes();
    end if;

    select coalesce(jsonb_agg(to_jsonb(s)), '[]') into stale
    from (select * from send_schedules s
          where s.closes_at is null or s.closes_at <= send_sweep.at or s.window_since > send_sweep.at limit 200) s;
    expired_leases := exists (
        select from send_queue q where q.status = 'sending' and q.lease_expires_at <= send_sweep.at);
    look_ups_due := exists (
        select from send_queue q join send_accounts a on a.id = q.account_id and a.status = 'active'
        where q.status = 'uncertain' and q.look_up_at <= send_sweep.at);
end
$$;
