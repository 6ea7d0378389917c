-- Keep send_counts: each statement adds one line for each campaign, account, channel and status that it touches,
-- however many rows it changes. Now and then it folds the lines.
create or replace function send_on_count_change() returns trigger language plpgsql as $$
declare
    v_lines int;
begin
    case tg_op
        when 'INSERT' then
            insert into send_counts (campaign_id, account_id, channel, status, n)
            select q.campaign_id, q.account_id, q.channel, q.status, count(*) from new_rows q
            group by q.campaign_id, q.account_id, q.channel, q.status;
        when 'DELETE' then
            insert into send_counts (campaign_id, account_id, channel, status, n)
            select q.campaign_id, q.account_id, q.channel, q.status, -count(*) from old_rows q
            group by q.campaign_id, q.account_id, q.channel, q.status;
        else
            insert into send_counts (campaign_id, account_id, channel, status, n)
            select c.campaign_id, c.account_id, c.channel, c.status, sum(c.n)
            from (select q.campaign_id, q.account_id, q.channel, q.status, 1 as n from new_rows q
                  union all select q.campaign_id, q.account_id, q.channel, q.status, -1 from old_rows q) c
            group by c.campaign_id, c.account_id, c.channel, c.status having sum(c.n) <> 0;
    end case;
    get diagnostics v_lines = row_count;
    -- After about 400 lines. Under REPEATABLE READ a line folded meanwhile would be an error.
    if random() < 0.0025::float8 * v_lines::float8 and current_setting('transaction_isolation') = 'read committed' then
        perform send_fold_counts(2000);
    end if;
    return null;
end
$$;

create or replace trigger rows_added after insert on send_queue
referencing new table as new_rows for each statement execute function send_on_count_change();
create or replace trigger rows_changed after update on send_queue
referencing old table as old_rows new table as new_rows for each statement execute function send_on_count_change();
create or replace trigger rows_deleted after delete on send_queue
referencing old table as old_rows for each statement execute function send_on_count_change();
