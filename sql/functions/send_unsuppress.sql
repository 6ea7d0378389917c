-- Lift the suppressions of a recipient, on one channel or on all. Skipped rows stay skipped. Returns the number lifted;
-- refuses if there is none, or if one for all channels remains.
create or replace function send_unsuppress(workspace_id uuid, recipient text, channel text default null) returns int
language plpgsql as $$
#variable_conflict use_column
declare
    v_n int;
begin
    perform send_check_channel(send_unsuppress.channel);
    delete from send_suppressions s
    where s.workspace_id = send_unsuppress.workspace_id
      and s.recipient = send_normal_recipient(send_unsuppress.recipient)
      and (send_unsuppress.channel is null or s.channel = send_unsuppress.channel);
    get diagnostics v_n = row_count;
    if send_suppressed(send_unsuppress.workspace_id, send_unsuppress.channel, send_unsuppress.recipient) is not null then
        raise exception '% is suppressed on all channels: leave out the channel to lift that.',
            quote_literal(send_unsuppress.recipient) using errcode = 'SQ005';
    elsif v_n = 0 then
        raise exception '% is not suppressed%: see `send-queue suppress list`.', quote_literal(send_unsuppress.recipient),
            coalesce(' on the channel ' || send_unsuppress.channel, '') using errcode = 'SQ005';
    end if;
    return v_n;
end
$$;
