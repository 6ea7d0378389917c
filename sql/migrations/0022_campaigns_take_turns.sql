-- Campaigns of one lane take turns at the same priority: that which has waited longest for one goes first. A lane counts
-- the turns that were taken; so no clock that is wrong, and no rehearsal, keeps a campaign waiting.
alter table send_lanes add column turns bigint not null default 0;
create table send_turns (
    account_id  uuid not null,
    channel     text not null,
    campaign_id uuid not null,
    turn        bigint not null, -- the last one that it took
    primary key (account_id, channel, campaign_id),
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade,
    constraint account_sends_for_the_campaign foreign key (campaign_id, account_id)
        references send_campaign_accounts (campaign_id, account_id) on delete cascade
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
