-- The results of the tries of the last 30 days by account, with the seconds from due to sent.
create or replace view send_results_by_account as
select r.workspace, r.of as account, r.sent, r.failed, r.retried, r.uncertain, r.median_seconds, r.p95_seconds
from send_results('account', now() - interval '30 days', 2147483647) r;
