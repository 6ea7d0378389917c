"""Ways into the queue: enqueue, files, wording, suppression, cross-posts."""
