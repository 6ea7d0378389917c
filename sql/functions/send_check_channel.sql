-- Refuse an unknown channel and list the known ones; null passes.
create or replace function send_check_channel(channel text) returns void language plpgsql immutable as $$
begin
    if not send_is_channel(channel) then
        raise exception 'There is no channel %: use linkedin_invite, linkedin_message, email, sms, post, webhook or log.',
            quote_literal(channel) using errcode = 'SQ002';
    end if;
end
$$;
