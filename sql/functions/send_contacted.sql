-- Return why a campaign must not write to a recipient, as one sentence: another campaign of the workspace wrote to
-- them, or may have, on any channel, within an interval before `at`. Null: none did, or the interval is null. Prospects
-- with a common address are one person (send_same_person), as is the recipient of a row without a prospect.
create or replace function send_contacted(workspace_id uuid, campaign_id uuid, channel text, recipient text,
    prospect_id uuid, within interval, at timestamptz)
returns text language plpgsql stable set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_last   record;
    v_people uuid[];
    v_rehearsing boolean := coalesce(current_setting('send_queue.rehearsed_at', true), '') <> '';
begin
    if within is null or within <= interval '0'
       or not (channel like 'linkedin%' or channel in ('email', 'sms')) and prospect_id is null then
        return null;
    end if;
    v_people := send_same_person(workspace_id, channel, recipient, prospect_id);
    select q.campaign_id, q.moment into v_last
    from (
        select o.campaign_id, o.moment from unnest(v_people) person (id)
        cross join lateral (
            select o.campaign_id, coalesce(o.sent_at, o.updated_at) as moment from send_queue o
            where o.prospect_id = person.id and o.status in ('sent', 'sending', 'uncertain')
              and o.workspace_id = send_contacted.workspace_id and o.campaign_id <> send_contacted.campaign_id
              and (v_rehearsing or not exists (select from send_rehearsed_rows r where r.send_id = o.id))
            order by coalesce(o.sent_at, o.updated_at) desc limit 1) o
        union all
        select o.campaign_id, o.moment
        from (
            select send_normal_recipient(send_contacted.recipient) as key
            union select send_normal_recipient(a.address) from unnest(v_people) person (id)
            cross join lateral (select p.* from send_prospects p where p.id = person.id limit 1) p
            cross join lateral (values (p.linkedin_user_id), (p.email), (p.phone)) a (address)
            where a.address is not null) known
        cross join lateral (
            select o.campaign_id, coalesce(o.sent_at, o.updated_at) as moment from send_queue o
            where o.workspace_id = send_contacted.workspace_id and send_normal_recipient(o.recipient) = known.key
              and o.prospect_id is null and o.status in ('sent', 'sending', 'uncertain')
              and o.channel in ('email', 'sms', 'linkedin_invite', 'linkedin_message')
              and o.campaign_id <> send_contacted.campaign_id
              and (v_rehearsing or not exists (select from send_rehearsed_rows r where r.send_id = o.id))
            order by coalesce(o.sent_at, o.updated_at) desc limit 1) o) q
    order by q.moment desc limit 1;
    if v_last.moment is null or v_last.moment <= send_contacted.at - within then
        return null;
    end if;
    return (select format('The campaign %s wrote to them on %s: nothing else goes to them within %s.', c.name,
                to_char(v_last.moment at time zone 'UTC', 'YYYY-MM-DD'), justify_hours(within))
            from send_campaigns c where c.id = v_last.campaign_id);
end
$$;
