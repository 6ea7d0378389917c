-- People who must not be written to any more: they said so, or their address does not exist. Whoever suppresses them,
-- and however (the command, a provider's answer, an INSERT by hand), triggers see to the rows that wait (send_on_suppression).

-- One form for all the ways in which a recipient is written: an address in small letters, a phone number as its digits,
-- with the + where it is given (00 is one). Anything else is taken as it stands. It is told by its shape and not by its
-- channel, so that one who is suppressed on all channels is found on each. An index stands on it: it never changes.
create function send_normal_recipient(recipient text) returns text language sql immutable parallel safe as $$
    select case
        when recipient like '%_@_%' and recipient not like '%://%' then lower(btrim(recipient, E' \t\r\n'))
        when recipient ~ '^[\s+0-9().\-/]*[0-9][\s0-9().\-/]*$' then
            regexp_replace(regexp_replace(recipient, '[^0-9+]', '', 'g'), '^00', '+')
        else btrim(recipient, E' \t\r\n')
    end
$$;

create table send_suppressions (
    id           uuid primary key default send_uuid(),
    workspace_id uuid not null references send_workspaces,
    channel      text, -- null: all of them
    recipient    text not null,
    reason       text not null,
    since        timestamptz not null default now(),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint recipient_is_not_empty check (recipient <> ''),
    constraint recipient_is_normal check (recipient = send_normal_recipient(recipient)),
    constraint suppression_has_a_reason check (reason <> '')
);
-- The claim asks it for each row that it takes; and nobody is suppressed twice.
create unique index recipient_is_suppressed_once on send_suppressions
    (workspace_id, recipient, coalesce(channel, ''));
-- What waits for somebody who is suppressed just now.
create index send_queue_recipient on send_queue (workspace_id, send_normal_recipient(recipient))
    where status = 'pending';
