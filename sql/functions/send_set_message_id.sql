-- Keep the name that a provider gave to a send's message; not where another send of the lane has it already: a provider
-- that names two sends alike loses the name, not us the send.
create or replace function send_set_message_id(send_id uuid, provider_message_id text) returns void language plpgsql as $$
begin
    if provider_message_id is not null then
        update send_queue q set provider_message_id = send_set_message_id.provider_message_id where q.id = send_id;
    end if;
exception when unique_violation then
    null;
end
$$;
