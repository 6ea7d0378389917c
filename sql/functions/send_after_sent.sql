-- Update the prospect of a sent invitation: connection requested, and a follow-up due.
create or replace function send_after_sent(send_id uuid, at timestamptz) returns void language sql as $$
    update send_prospects p
    set status = 'connection_request_sent', follow_up_due_at = at + c.follow_up_after
    from send_queue q join send_campaigns c on c.id = q.campaign_id
    where q.id = send_id and q.channel = 'linkedin_invite' and p.id = q.prospect_id
      and not send_leaves_no_trace() -- a sandbox's result leaves no trace
$$;
