-- The providers that do not serve a channel, of those that are known (send_provider_channels); none for `log`, nor for
-- what is no channel, which other rules refuse.
create or replace function send_not_serving(channel text) returns text[] language plpgsql stable as $$
begin
    return array(
        select distinct s.provider from send_provider_channels s
        where send_not_serving.channel <> 'log' and send_is_channel(send_not_serving.channel) and not exists (
            select from send_provider_channels o
            where o.provider = s.provider and o.channel = send_not_serving.channel));
end
$$;
