-- Return why no message may go to a recipient, as a sentence; null: one may.
create or replace function send_suppressed(workspace_id uuid, channel text, recipient text) returns text
language plpgsql stable as $$
#variable_conflict use_column
declare
    v_s record;
begin
    select s.since, s.reason into v_s from send_suppressions s
    where s.workspace_id = send_suppressed.workspace_id
      and s.recipient = send_normal_recipient(send_suppressed.recipient)
      and (s.channel is null or s.channel = send_suppressed.channel)
    order by s.since limit 1;
    if found then
        return format('Nothing goes to this recipient since %s: %s.',
            to_char(v_s.since at time zone 'UTC', 'YYYY-MM-DD'), v_s.reason);
    end if;
    return null;
end
$$;
