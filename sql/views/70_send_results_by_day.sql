-- The results of the tries of the last 30 days by day of the lane's cap zone, with the seconds from due to sent.
create or replace view send_results_by_day as
select r.of::date as day, r.sent, r.failed, r.retried, r.uncertain, r.median_seconds, r.p95_seconds
from send_results('day', now() - interval '30 days', 2147483647) r;
