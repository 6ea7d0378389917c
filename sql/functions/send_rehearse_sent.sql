-- In a rehearsal: everything that was claimed has gone out.
create or replace function send_rehearse_sent(at timestamptz) returns void language sql as $$
    update send_attempts set outcome = 'sent', finished_at = at where outcome is null;
    update send_queue set status = 'sent', sent_at = at, claimed_by = null, lease_expires_at = null, attempt_id = null
    where status = 'sending';
$$;
