"""One pass over the queue, explain, and the renewal of tokens."""
