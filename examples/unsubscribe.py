"""The endpoint of unsubscribe links (docs/email.md), as a WSGI application."""

import os

import psycopg

from send_queue.model import UserError
from send_queue.rules import unsubscribe

SUPPRESS = """
    insert into send_suppressions (workspace_id, channel, recipient, reason)
    values (%s, %s, %s, 'unsubscribed') on conflict do nothing"""


def suppress(workspace_id, channel, recipient):
    with psycopg.connect(os.environ["DATABASE_URL"]) as conn:
        conn.execute(SUPPRESS, (workspace_id, channel, recipient))


def application(environ, start_response):
    status = "200 OK"
    if environ["REQUEST_METHOD"] != "POST":
        status = "405 Method Not Allowed"
    else:
        try:
            token = environ["PATH_INFO"].rpartition("/")[2]
            suppress(*unsubscribe.open(os.environ, token))
        except UserError:
            status = "404 Not Found"
    start_response(status, [("Content-Length", "0")])
    return [b""]
