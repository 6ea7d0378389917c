-- The results of the tries of the last 30 days by campaign, with the seconds from due to sent.
create or replace view send_results_by_campaign as
select r.workspace, r.of as campaign, r.sent, r.failed, r.retried, r.uncertain, r.median_seconds, r.p95_seconds
from send_results('campaign', now() - interval '30 days', 2147483647) r;
