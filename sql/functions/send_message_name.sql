-- The name that a provider gave to a send's message; null where another send of the lane has it already: a provider
-- that names two sends alike loses the name, not us the send.
create or replace function send_message_name(account_id uuid, channel text, provider_message_id text, send_id uuid)
returns text language plpgsql as $$
#variable_conflict use_column
begin
    if send_message_name.provider_message_id is null then
        return null;
    end if;
    -- Of two that are given one name at once, the second waits here, and then sees the first.
    perform pg_advisory_xact_lock(hashtextextended(
        concat_ws(' ', 'send-queue', account_id, channel, provider_message_id), 0));
    if exists (select from send_queue q
               where q.account_id = send_message_name.account_id and q.channel = send_message_name.channel
                 and q.provider_message_id = send_message_name.provider_message_id and q.id <> send_id) then
        return null;
    end if;
    return provider_message_id;
end
$$;
