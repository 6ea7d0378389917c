-- An account sends what its provider serves, and a prospect has an account for each channel.

-- The channels of each provider, as `migrate` and `account add` find them declared. A provider without any is not known
-- here, and taken to serve all. The channel `log` is served for every account.
create table send_provider_channels (
    provider text not null,
    channel  text not null,
    primary key (provider, channel),
    constraint channel_is_known check (send_is_channel(channel))
);

-- By channel, the id of the account that first wrote to them so; account_id is the first by whatever channel.
alter table send_prospects add column accounts jsonb not null default '{}',
    add constraint accounts_are_an_object check (jsonb_typeof(accounts) = 'object');
