-- Each lane: its cap, what it has used today and has left, when it may send next, and why not now.
create or replace view send_lane_status as
select * from send_lane_report(now());
