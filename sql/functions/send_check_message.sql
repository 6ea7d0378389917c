-- Return the fault of a message that is about to be stored, and its remedy, as one sentence; null: none.
create or replace function send_check_message(channel text, recipient text, message text, payload jsonb,
    scheduled_for timestamptz, expires_at timestamptz, at timestamptz)
returns text language sql stable as $$
    select coalesce(case
        when channel is null or not send_is_channel(channel) then format('There is no channel %s: use linkedin_invite, '
            'linkedin_message, email, sms, post, webhook or log.', quote_nullable(channel))
        end, send_check_recipient(channel, recipient), case
        when coalesce(message, '') !~ '[^[:space:]]' and not (channel = 'linkedin_invite'
                and coalesce(message = '' and payload @> '{"note": false}', false)) then
            'The message is missing: say what to send'
            || case when channel = 'linkedin_invite' then ' (an invitation without a note: payload {"note": false})'
                    else '' end || '.'
        when channel = 'linkedin_invite' and char_length(message) > 300 then format(
            'The invitation has %s characters: LinkedIn takes 300 at most, shorten it.', char_length(message))
        when greatest(scheduled_for, expires_at, at) >= '9999-01-01 00:00+00'
                or least(scheduled_for, expires_at, at) < '0002-01-01 00:00+00' then
            'The moment is beyond the calendar: use a year from 2 to 9998.'
        when expires_at <= greatest(scheduled_for, at) then format(
            'It would expire (%s) before it can go: make expires_at later than %s.',
            to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
            to_char(greatest(scheduled_for, at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
        when payload is not null and jsonb_typeof(payload) <> 'object' then
            'The payload is not a JSON object: write it as {"key": "value"}.'
    end)
$$;
