"""Chaos: real runs, a real Postgres and all providers in one process, killed at any moment; the journal is the witness.

Reading order: channels.py (who sends what by which provider, what goes wrong, and how a row is known again in what was
accepted), chaos.py (what is done), rules.py (what must hold afterwards), world.py (the server, the providers and the
clock that may be killed or moved), witness.py (the providers as a process), child.py (a run that kills or suspends
itself at a named point).
"""
