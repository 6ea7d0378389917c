-- Who is suppressed, by whomever, has nothing waiting any more: it is skipped at once. What is in flight is left alone.
--
-- It never waits: whoever suppresses may hold locks of any kind (send_record). A row that somebody else holds just now,
-- or that is being enqueued, is passed by, and skipped by the claim that takes it (send_skip_suppressed).
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
