-- Create the temporary table for the lines of an import; it ends with the transaction.
create or replace function send_import_stage() returns void language sql as $$
    select send_needs_temp();
    create temporary table send_import_lines (
        line int not null, recipient text not null, message text not null, subject text, name text, first_name text,
        last_name text, company text, email text, phone text, linkedin_user_id text, timezone text,
        attributes jsonb not null, payload jsonb not null, priority int, scheduled_for timestamptz,
        expires_at timestamptz, account text, dedupe_key text not null, account_id uuid,
        prospect_id uuid, new_prospect_id uuid default send_uuid(),
        key text generated always as (send_normal_recipient(recipient)) stored
    ) on commit drop
$$;
