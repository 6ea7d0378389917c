-- How much of a lane's caps a rehearsal has used on the days of its cap zone from `first` to `last`.
create or replace function send_rehearsed_on(account_id uuid, channel text, first date, last date) returns int
language sql stable as $$
    select count(*)::int from send_attempts b
    where b.account_id = send_rehearsed_on.account_id and b.channel = send_rehearsed_on.channel
      and b.started_at > send_rehearsed_on.first - interval '2 days' -- as the index knows it; zones differ by less
      and b.rehearsed and b.day between send_rehearsed_on.first and send_rehearsed_on.last
      and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
$$;
