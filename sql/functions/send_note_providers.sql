-- Note the channels that providers serve, as the caller's code declares them: {provider: [channel, …]}. Unnamed
-- providers keep their notes, for another machine may have them. Unchanged notes are not written.
create or replace function send_note_providers(served jsonb) returns void language plpgsql as $$
begin
    delete from send_provider_channels s
    where served ? s.provider and not served -> s.provider ? s.channel;
    insert into send_provider_channels (provider, channel)
    select p.provider, c.channel
    from jsonb_each(served) p (provider, channels)
    cross join lateral jsonb_array_elements_text(p.channels) c (channel)
    where send_is_channel(c.channel)
      and not exists (select from send_provider_channels s where s.provider = p.provider and s.channel = c.channel)
    order by p.provider, c.channel
    on conflict do nothing;
end
$$;
