-- An account leaves the pool of a campaign: nobody else writes to its people without a word.

-- When it left, null while it is in the pool, and for one that was named for single sends and never was in it.
alter table send_campaign_accounts add column left_at timestamptz;

-- Who writes for a campaign to the people of an account that is not in the pool any more, by channel (send_reassign).
create table send_successors (
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null,
    channel      text not null,
    successor_id uuid not null,
    primary key (campaign_id, account_id, channel),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint nobody_succeeds_themselves check (successor_id <> account_id),
    constraint account_has_a_place foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id) on delete cascade,
    constraint successor_has_a_place foreign key (workspace_id, campaign_id, successor_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id) on delete cascade
);
