"""Posts on social networks."""
