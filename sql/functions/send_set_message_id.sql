-- Store a provider's id of a send's message, unless another send of the lane has it: a provider that gives two sends
-- one id loses the id, but not the send.
create or replace function send_set_message_id(send_id uuid, provider_message_id text) returns void language plpgsql as $$
begin
    if provider_message_id is not null then
        update send_queue q set provider_message_id = send_set_message_id.provider_message_id where q.id = send_id;
    end if;
exception when unique_violation then
    null;
end
$$;
