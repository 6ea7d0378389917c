"""Enqueue messages one by one, or a whole file of them or nothing.

A file is copied into the database line by line, and errors name their lines. One transaction stores all of it or
nothing at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from send_queue import store
from send_queue.intake.wording import check_texts
from send_queue.model import ConfigurationError, Json, UserError
from send_queue.rules import recipients
from send_queue.store import Connection

NAMED = 5
"""The most lines that a remark names."""


def enqueue(conn: Connection, **message: Any) -> tuple[UUID, bool]:
    """Call send_enqueue with named arguments; see `send_queue.enqueue`."""
    country = country_of(conn, *_place(message)) if _needs_country(message) else None
    checked = _checked(message, country)
    with store.translate_errors():
        return store.enqueue(conn, **checked)


async def enqueue_async(conn: Any, **message: Any) -> tuple[UUID, bool]:
    """Do the same on an asynchronous connection."""
    conn = await store.async_driver_connection(conn)
    country = None
    if _needs_country(message):
        _, campaign, workspace = _place(message)
        with suppress(ConfigurationError):
            [campaign_id] = await store.fetch_async(conn, "send_campaign_named",
                                           {"campaign": campaign, "workspace": workspace})  # fmt: skip
            [found] = await store.fetch_async(conn, "send_list", {"kind": "campaign", "id": campaign_id})
            country = _country_in(found)
    send_id, created = await store.fetch_async(conn, "send_enqueue", _checked(message, country))
    return send_id, created


def _place(message: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return message["channel"], message["campaign"], message.get("workspace")


def _needs_country(message: Mapping[str, Any]) -> bool:
    """Tell whether the recipient is a phone number that does not name its country."""
    if message["channel"] != "sms":
        return False
    try:
        recipients.checked("sms", message["recipient"])
    except ValueError:
        return True
    return False


def _checked(message: Json, country: str | None) -> Json:
    """Return the arguments of send_enqueue. Raises `UserError` where the message can go to nobody."""
    for name in ("scheduled_for", "expires_at"):
        moment = message.get(name)
        if isinstance(moment, datetime) and moment.tzinfo is None:
            raise _invalid(f"{name} has no time zone: give a datetime with tzinfo.")
    try:
        recipient = recipients.checked(message["channel"], message["recipient"], country)
        check_texts(message["channel"], message.get("subject"), message["message"])
    except ValueError as error:
        raise _invalid(f"Nothing was stored: {error}.") from None
    return {**message, "recipient": recipient}


def _invalid(sentence: str) -> UserError:
    error = UserError(sentence)
    error.sqlstate = "SQ002"
    return error


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
    return _country_in(found)


def _country_in(campaign: Any) -> str | None:
    found = json.loads(campaign) if isinstance(campaign, str) else campaign  # Django's connections do not read JSON
    return cast("str | None", found["country"])
