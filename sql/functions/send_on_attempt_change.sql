-- The ledger is the truth about what was tried: what became of an attempt is said once. Only a doubt is ended later (it
-- was sent, or not), and what was taken for not sent may turn out to be sent after all. It goes with its send only.
create or replace function send_on_attempt_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'Attempts are not deleted by hand, since caps count them: `send-queue prune` deletes old sends '
            'with theirs.' using errcode = 'SQ006';
    end if;
    raise exception 'Attempt % is %: it cannot become % again; of an uncertain one say what became of it with '
        '`send-queue settle %`.', old.id, old.outcome, coalesce(new.outcome, 'open'), old.send_id
        using errcode = 'SQ006';
end
$$;

create or replace trigger outcome_is_final before update of outcome on send_attempts for each row
when (old.outcome is not null and new.outcome is distinct from old.outcome
      and (old.outcome, coalesce(new.outcome, '')) not in
          (('uncertain', 'sent'), ('uncertain', 'released'), ('released', 'sent')))
execute function send_on_attempt_change();

-- Depth 0: somebody's own statement, not the cascade from send_queue. What was rehearsed is no part of the ledger.
create or replace trigger attempts_are_kept before delete on send_attempts for each row
when (pg_trigger_depth() = 0 and not old.rehearsed) execute function send_on_attempt_change();
