"""Enqueue messages one by one, or a whole file of them or nothing.

A file is copied into the database line by line, and errors name their lines. One transaction stores all of it or
nothing at the end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from send_queue import store
from send_queue.intake.wording import (
    check_texts,
)
from send_queue.model import ConfigurationError, UserError
from send_queue.rules import recipients
from send_queue.store import Connection

NAMED = 5
"""The most lines that a remark names."""


def enqueue(conn: Connection, **message: Any) -> tuple[UUID, bool]:
    """Call send_enqueue with named arguments; see `send_queue.enqueue`."""
    for name in ("scheduled_for", "expires_at"):
        moment = message.get(name)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise UserError(f"{name} has no time zone: give a datetime with tzinfo.")
    place = message["campaign"], message.get("workspace")
    message["recipient"] = recipient_of(conn, message["channel"], message["recipient"], *place)
    try:
        check_texts(message["channel"], message.get("subject"), message["message"])
    except ValueError as error:
        raise UserError(f"Nothing was stored: {error}.") from None
    with store.translate_errors():
        return store.enqueue(conn, **message)


def recipient_of(conn: Connection, channel: str, recipient: str, campaign: str, workspace: str | None) -> str:
    """Return the stored form of a campaign's recipient. Raises `UserError` if nothing can go to them."""
    try:
        try:
            return recipients.checked(channel, recipient)
        except ValueError:
            if channel != "sms":
                raise
            return recipients.checked(channel, recipient, country_of(conn, channel, campaign, workspace))
    except ValueError as error:
        raise UserError(f"Nothing was stored: {error}.") from None


def country_of(conn: Connection, channel: str, campaign: str, workspace: str | None) -> str | None:
    """Return the country of a campaign's phone numbers; None for other channels, without one, or if the role may not
    read it."""
    if channel != "sms":
        return None
    try:
        [found] = store.listed(conn, "campaign", store.campaign_named(conn, campaign, workspace))
    except ConfigurationError:
        return None
    return cast("str | None", found["country"])
