"""Chaos: real runs, a real Postgres and a provider of their own, killed at any moment; the journal is the witness.

Reading order: chaos.py (what is done, and the rules that must hold afterwards), world.py (the server, the provider
and the clock that may be killed or moved), witness.py (the provider as a process), child.py (a run that kills or
suspends itself at a named point).
"""
