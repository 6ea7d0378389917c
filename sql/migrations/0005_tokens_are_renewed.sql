-- From when a pair is renewed. Null: nothing renews it, since it does not end, there is nothing to renew it with, or the
-- provider has refused to, and then only a person can connect the account again.
alter table send_tokens add column renew_at timestamptz;
-- `tokens refresh` walks it, for the first that is due.
create index tokens_by_renewal on send_tokens (renew_at) where renew_at is not null;
