-- Status back in your own table, in the transaction that changes the send: with a table signups (email, send_id, status).
--
-- Names are qualified, and the function has its owner's rights: whoever changes a send runs it. It should not raise: a
-- run names it and exits with 2, and a send that went out stays in doubt until the trigger is mended.
-- `LISTEN sends` needs a session of its own, not through pgbouncer in transaction mode.
create function public.signups_follow() returns trigger language plpgsql security definer as $$
begin
    update public.signups set status = new.status where send_id = new.id;
    perform pg_catalog.pg_notify('sends', new.id::text);
    return new;
end
$$;
create trigger signups_follow after update of status on send_queue
for each row when (new.status not in ('pending', 'sending')) execute function public.signups_follow();
