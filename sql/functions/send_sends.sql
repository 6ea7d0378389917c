-- Rows of the queue for people and scripts, by time: a status, an account, a channel, a campaign; or one by its id,
-- with its attempts. Raises SQ005 for an id or a filter that names what is not there.
create or replace function send_sends(id uuid default null, status text default null, account text default null,
    channel text default null, campaign text default null, max_rows int default 50)
returns setof jsonb language plpgsql stable set timezone = 'UTC' as $$
#variable_conflict use_column
begin
    if id is not null then
        return query select to_jsonb(q) || jsonb_build_object('campaign', c.name, 'account', a.name, 'tries', (
            select coalesce(jsonb_agg(to_jsonb(b) order by b.number), '[]') from send_attempts b where b.send_id = q.id))
        from send_queue q join send_campaigns c on c.id = q.campaign_id join send_accounts a on a.id = q.account_id
        where q.id = send_sends.id;
        if not found then
            raise exception 'There is no send %: see which there are with `send-queue list`.', send_sends.id
                using errcode = 'SQ005';
        end if;
        return;
    end if;
    perform send_check_filters(account, channel, campaign);
    return query select jsonb_build_object('id', q.id, 'status', q.status, 'scheduled_for', q.scheduled_for,
        'sent_at', q.sent_at, 'account', a.name, 'channel', q.channel, 'campaign', c.name, 'recipient', q.recipient,
        'priority', q.priority, 'attempts', q.attempts, 'error_code', q.error_code, 'error_message', q.error_message)
    from send_queue q join send_campaigns c on c.id = q.campaign_id join send_accounts a on a.id = q.account_id
    where (send_sends.status is null or q.status = send_sends.status)
      and (send_sends.account is null or a.name = send_sends.account)
      and (send_sends.channel is null or q.channel = send_sends.channel)
      and (send_sends.campaign is null or c.name = send_sends.campaign)
    order by q.scheduled_for, q.id limit max_rows;
end
$$;
