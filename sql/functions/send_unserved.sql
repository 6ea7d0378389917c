-- Return why an account cannot send on a channel, as a sentence without its remedy; null: it can, as far as the
-- database knows.
create or replace function send_unserved(account_id uuid, channel text) returns text language plpgsql stable as $$
begin
    return (
        select format('The account %s''s provider %s does not send %s, only %s', a.name, a.provider,
            send_unserved.channel, (
                select string_agg(s.channel, ', ' order by s.channel)
                from (select o.channel from send_provider_channels o where o.provider = a.provider
                      union select 'log') s))
        from send_accounts a
        where a.id = send_unserved.account_id and a.provider = any (send_not_serving(send_unserved.channel)));
end
$$;
