-- The rows of a prospect: for the foreign key, which would otherwise read the whole queue for each prospect that is deleted.
create index send_queue_prospect on send_queue (prospect_id) where prospect_id is not null;
