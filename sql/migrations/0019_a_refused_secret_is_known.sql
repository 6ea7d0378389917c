-- A secret that its provider refuses is a mistake of the configuration: no person at the provider can mend it. The
-- account stays active, so that a working secret is enough, and it is known which variable holds the refused one.
--
-- secret_refused     the variable of the environment          secret_refused_as  the code of the refusal
-- secret_refused_at  since when
alter table send_accounts
    add column secret_refused text,
    add column secret_refused_as text,
    add column secret_refused_at timestamptz,
    add constraint refusal_is_whole check (
        (secret_refused is null) = (secret_refused_as is null) and (secret_refused is null) = (secret_refused_at is null));
-- Claims and notifications walk it: mostly it is empty.
create index accounts_refused on send_accounts (workspace_id) where secret_refused is not null;
