-- Nobody is written to by another campaign of their workspace within this time of the last message; 0: at any time;
-- null: as the workspace has it, or at any time.
alter table send_workspaces add skip_contacted interval
    constraint skip_contacted_is_a_time check (skip_contacted >= interval '0' and skip_contacted <= interval '10 years');
alter table send_campaigns add skip_contacted interval
    constraint skip_contacted_is_a_time check (skip_contacted >= interval '0' and skip_contacted <= interval '10 years');
create index send_campaigns_skip_contacted on send_campaigns (workspace_id) where skip_contacted is not null;
