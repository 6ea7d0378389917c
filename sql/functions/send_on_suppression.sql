-- Normalize a suppressed address, and skip its pending rows at once; rows in flight stay.
--
-- It never waits, since its caller may hold any lock (send_record). A locked row, or one being enqueued, is left to the
-- claim that picks it (send_skip_suppressed).
create or replace function send_on_suppression() returns trigger language plpgsql
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
    if tg_level = 'ROW' then
        new.recipient := send_normal_recipient(new.recipient);
        return new;
    end if;
    perform send_skip_suppressed(
        array(select q.id from arrived s
              join send_queue q on q.workspace_id = s.workspace_id
                  and send_normal_recipient(q.recipient) = s.recipient and (s.channel is null or s.channel = q.channel)
              where q.status = 'pending'
              for no key update of q skip locked),
        (select max(s.since) from arrived s));
    return null;
end
$$;

create or replace trigger suppression_is_normal before insert or update on send_suppressions
for each row execute function send_on_suppression();
create or replace trigger suppression_skips after insert on send_suppressions
referencing new table as arrived for each statement execute function send_on_suppression();
create or replace trigger suppression_skips_anew after update on send_suppressions
referencing new table as arrived for each statement execute function send_on_suppression();
