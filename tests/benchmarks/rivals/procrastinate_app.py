"""Procrastinate, in the rivals' venv: `procrastinate --app procrastinate_app.app worker --one-shot`."""

from __future__ import annotations

import os

import procrastinate  # type: ignore[import-not-found]  # in the rivals' venv only

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["RIVAL_DATABASE_URL"]))
