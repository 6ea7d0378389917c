-- A rehearsal is a run that is told another time. Its attempts are marked; lanes and rows are noted here as they were
-- before it changed them. The next run in real time sets them back (send_end_rehearsal). No mark is inferred from a
-- moment, since clocks may be wrong.
create table send_rehearsed_lanes (
    account_id        uuid not null,
    channel           text not null,
    rehearsed_at      timestamptz not null, -- the moment that it was last told
    next_at           timestamptz not null,
    next_at_reason    text,
    next_at_detail    text,
    consecutive_holds int not null,
    turns             bigint,
    served_at         timestamptz,
    campaign_turns    jsonb, -- {campaign_id: turn}, of send_turns
    primary key (account_id, channel),
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade
);

create table send_rehearsed_rows (
    send_id             uuid primary key references send_queue on delete cascade,
    account_id          uuid not null,
    channel             text not null,
    status              text not null,
    scheduled_for       timestamptz not null,
    place               timestamptz,
    attempts            int not null,
    sent_at             timestamptz,
    provider_message_id text,
    error_code          text,
    error_message       text,
    look_up_at          timestamptz,
    look_ups            int not null,
    absent_since        timestamptz,
    repeat_by           timestamptz,
    updated_at          timestamptz not null,
    -- updated_at and scheduled_for as the rehearsal left them: a later change by anybody else stays.
    left_at             timestamptz not null,
    left_for            timestamptz not null
);
create index send_rehearsed_rows_of_lane on send_rehearsed_rows (account_id, channel);
