-- Each lane: its cap, today's use and the rest, the next moment at which it may send, and why not now.
create or replace view send_lane_status as
select * from send_lane_report(now());
