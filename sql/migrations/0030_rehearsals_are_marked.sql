-- What a rehearsal writes is marked when it is written, and nothing is inferred from a moment: clocks may be wrong. Its
-- attempts are marked; rows and lanes are noted as they were before it changed them (send_end_rehearsal).
alter table send_attempts add column rehearsed boolean not null default false;
drop trigger if exists attempts_are_kept on send_attempts; -- it is made anew, for each row

-- campaign_turns  {campaign_id: turn}, of send_turns
alter table send_rehearsed_lanes add column turns bigint, add column served_at timestamptz,
    add column campaign_turns jsonb;

-- left_at, left_for  updated_at and scheduled_for as the rehearsal left them: whoever changes the row later has his way
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
    left_at             timestamptz not null,
    left_for            timestamptz not null
);
create index send_rehearsed_rows_of_lane on send_rehearsed_rows (account_id, channel);
