-- Protect the ledger: an outcome is final, except that a doubt may end (sent, or released), and that a released attempt
-- may prove sent after all. An attempt is deleted only together with its send.
create or replace function send_on_attempt_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'Attempts cannot be deleted by hand, since caps count them: delete old sends with `send-queue '
            'prune`.' using errcode = 'SQ006';
    end if;
    raise exception 'Attempt % is %: it cannot become % again; settle an uncertain one with `send-queue settle %`.', old.id,
        old.outcome, coalesce(new.outcome, 'open'), old.send_id using errcode = 'SQ006';
end
$$;

create or replace trigger outcome_is_final before update of outcome on send_attempts for each row
when (old.outcome is not null and new.outcome is distinct from old.outcome
      and (old.outcome, coalesce(new.outcome, '')) not in
          (('uncertain', 'sent'), ('uncertain', 'released'), ('released', 'sent')))
execute function send_on_attempt_change();

-- Depth 0: a direct statement, not the cascade from send_queue. Rehearsed attempts are no part of the ledger.
create or replace trigger attempts_are_kept before delete on send_attempts for each row
when (pg_trigger_depth() = 0 and not old.rehearsed) execute function send_on_attempt_change();
