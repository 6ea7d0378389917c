"""The command as cron runs it: real processes, real Postgres, the sandbox over real sockets.

A package, so that its conftest and the one above it are two modules.
"""
