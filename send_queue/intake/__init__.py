"""Input: enqueue, files, wording, suppression, cross-posts."""
