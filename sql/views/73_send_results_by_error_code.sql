-- The results of the tries of the last 30 days by error code, with the seconds from due to sent.
create or replace view send_results_by_error_code as
select r.of as error_code, r.sent, r.failed, r.retried, r.uncertain, r.median_seconds, r.p95_seconds
from send_results('error_code', now() - interval '30 days', 2147483647) r;
