-- Return the known providers (send_provider_channels) that do not serve a channel; none for `log`, nor for an unknown
-- channel, which other checks refuse.
create or replace function send_not_serving(channel text) returns text[] language plpgsql stable as $$
begin
    if send_not_serving.channel = 'log' or not send_is_channel(send_not_serving.channel) then
        return '{}';
    end if;
    return array(
        select s.provider from send_provider_channels s
        group by s.provider having not bool_or(s.channel = send_not_serving.channel));
end
$$;
