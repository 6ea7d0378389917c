-- What lanes were like before a rehearsal of a moment to come: the next run that believes its database's clock sets them
-- back (send_end_rehearsal).
--
-- rehearsed_at  the moment that it was last believed to be
create table send_rehearsed_lanes (
    account_id     uuid not null,
    channel        text not null,
    rehearsed_at   timestamptz not null,
    next_at        timestamptz not null,
    next_at_reason text,
    next_at_detail text,
    holds_in_a_row int not null,
    primary key (account_id, channel),
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade
);
