"""The benchmark: what the queue costs, each figure measured in turn with what it is held against.

`python -m tests.benchmarks` (`make bench`) builds its data in a Postgres of its own. Reading order: __main__.py (which
figures there are), measure.py (what a figure is), bed.py (the server, the processes, the sizes), queues.py (the data);
then the figures: tick.py, claim.py, drain.py, post.py, crowd.py, volume.py, look.py. rivals/ holds the programs that we
are held against.
"""
