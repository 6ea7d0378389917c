-- Triggers and a column have the names of the field; the triggers are made anew with their functions.
drop trigger if exists outcome_is_said_once on send_attempts;
drop trigger if exists inserted_by_hand on send_queue;
drop trigger if exists inserted_by_hand on send_campaign_accounts;
alter table send_lanes rename column holds_in_a_row to consecutive_holds;
alter table send_rehearsed_lanes rename column holds_in_a_row to consecutive_holds;
