"""Unipile's reads: profiles, lists and accounts, without hidden sends.

Lists are newest first. A cursor names the last shown item, not a position: a send between two pages neither repeats
nor hides an item.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from send_queue.sandbox import profile_ids
from send_queue.sandbox.http_messages import SandboxResponse, json_answer
from send_queue.sandbox.linkedin_state import Account, Chat, Invitation, LinkedInState, Message, iso
from send_queue.sandbox.unipile_errors import Refused
from send_queue.sandbox.unipile_request import UnipileRequest

USUAL_PAGE = 100  # items
MAX_PAGE_ITEMS = 250  # items
MAX_RELATIONS_PAGE_ITEMS = 1000  # items

Item: TypeAlias = tuple[int, Any]
"""A growing number and its object."""


class Reads:
    """The provider's GET requests."""

    def __init__(self, world: LinkedInState, *, redirect_profiles: bool, viewer_scoped_ids: bool) -> None:
        self._world = world
        self._redirect_profiles = redirect_profiles
        self._viewer_scoped_ids = viewer_scoped_ids

    def profile(self, asked: UnipileRequest) -> SandboxResponse:
        """Show a person as one account sees them; with `invitation` only while one is pending."""
        request = asked.request
        if self._redirect_profiles and not request.path.endswith("/"):
            return SandboxResponse(301, headers={"location": f"{request.path}/?{request.query_string}"})
        with self._world.lock:
            account = self._reader(asked.need_query("account_id"))
            person = self._resolve(account, asked.named)
            invitation = account.invitation_to(person)
            related = person in account.relations
            shown = invitation is not None and account.is_pending(invitation) and self._seen(invitation)
        slug = profile_ids.slug(person)
        first_name, last_name = profile_ids.names(slug)
        body = {
            "object": "UserProfile",
            "provider": "LINKEDIN",
            "provider_id": person,
            "public_identifier": slug,
            "first_name": first_name,
            "last_name": last_name,
            "headline": "",
            "is_self": person == profile_ids.own_id(account.id),
            "is_relationship": related,
            "network_distance": "FIRST_DEGREE" if related else "SECOND_DEGREE",
            "can_send_inmail": False,
            "is_open_profile": False,
            "is_premium": False,
            "throttled_sections": [],
        }
        if shown:
            body["invitation"] = {"type": "SENT", "status": "PENDING"}
        return json_answer(200, body)

    def invitations(self, asked: UnipileRequest) -> SandboxResponse:
        """List pending invitations, with LinkedIn's coarse times."""
        with self._world.lock:
            account = self._reader(asked.need_query("account_id"))
            pending = (
                (one.number, one)
                for one in reversed(account.invitations)
                if account.is_pending(one) and self._seen(one)
            )
            page, cursor = _page(asked, pending)
        now = self._world.clock()
        return _list("InvitationList", [_show_invitation(one, now) for one in page], cursor)

    def relations(self, asked: UnipileRequest) -> SandboxResponse:
        """List the account's connections, latest first; `filter` searches the names."""
        wanted = (asked.query("filter") or "").lower()
        with self._world.lock:
            account = self._reader(asked.need_query("account_id"))
            everybody = reversed(list(enumerate(account.relations.items())))
            found = ((number, (who, since)) for number, (who, since) in everybody if wanted in _name(who).lower())
            page, cursor = _page(asked, found, most=MAX_RELATIONS_PAGE_ITEMS)
        return _list("UserRelationsList", [_show_relation(who, since) for who, since in page], cursor)

    def chats(self, asked: UnipileRequest) -> SandboxResponse:
        """List chats by their last visible message, of one account or all."""
        after, before = asked.moment("after"), asked.moment("before")
        with self._world.lock:
            latest = [
                (last.number, (chat, last))
                for account in self._readers(asked)
                for chat in account.chats.values()
                if (last := next(self._seen_messages(chat), None)) is not None
            ]
            latest.sort(key=lambda item: item[0], reverse=True)
            page, cursor = _page(asked, (one for one in latest if _within(one[1][1].at, after, before)))
        return _list("ChatList", [_show_chat(chat, last) for chat, last in page], cursor)

    def chat_messages(self, asked: UnipileRequest) -> SandboxResponse:
        """List the messages of a chat."""
        with self._world.lock:
            chat = self._world.chat(asked.named)
            if chat is None or next(self._seen_messages(chat), None) is None:
                raise Refused(404, "resource_not_found", "Chat not found.")
            self._reader(chat.account_id)
            return self._list_messages(asked, self._seen_messages(chat))

    def messages(self, asked: UnipileRequest) -> SandboxResponse:
        """List the messages of all chats, of one account or all."""
        with self._world.lock:
            everything = [
                message
                for account in self._readers(asked)
                for chat in account.chats.values()
                for message in self._seen_messages(chat)
            ]
            everything.sort(key=lambda message: message.number, reverse=True)
            return self._list_messages(asked, everything)

    def account(self, asked: UnipileRequest) -> SandboxResponse:
        """Show an account and the state of its sources."""
        with self._world.lock:
            account = self._reader(asked.named)
        body = {
            "object": "Account",
            "id": account.id,
            "type": "LINKEDIN",
            "name": account.id,
            "created_at": milliseconds(account.since),
            "last_fetched_at": milliseconds(self._world.clock()),
            "connection_params": {
                "im": {
                    "id": profile_ids.own_id(account.id),
                    "publicIdentifier": account.id,
                    "username": account.id,
                    "premiumId": None,
                    "premiumFeatures": [],
                }
            },
            "sources": [{"id": f"{account.id}_MESSAGING", "status": account.status}],
            "groups": [],
        }
        return json_answer(200, body)

    def _reader(self, account_id: str) -> Account:
        """Return any known account: reads work without a connection."""
        account = self._world.account(account_id)
        if account.unknown:
            raise Refused(404, "resource_not_found", "Account not found.")
        return account

    def _readers(self, asked: UnipileRequest) -> list[Account]:
        account_id = asked.query("account_id")
        if account_id is not None:
            return [self._reader(account_id)]
        return [account for account in self._world.accounts() if not account.unknown]

    def _resolve(self, account: Account, identifier: str) -> str:
        """Return the provider id of an id or a slug. An identifier that a send used is an id."""
        if not profile_ids.is_identifier(identifier):
            raise Refused(422, "invalid_recipient")
        if self._viewer_scoped_ids and profile_ids.is_another_viewers(identifier, account.id):
            raise Refused(404, "resource_not_found", "User not found.")
        if profile_ids.is_provider_id(identifier) or account.knows(identifier):
            return identifier
        return profile_ids.provider_id(identifier, account.id if self._viewer_scoped_ids else None)

    def _seen(self, item: Invitation | Message) -> bool:
        return item.visible_at is None or item.visible_at <= self._world.clock()

    def _seen_messages(self, chat: Chat) -> Iterator[Message]:
        return (message for message in reversed(chat.messages) if self._seen(message))

    def _list_messages(self, asked: UnipileRequest, newest_first: Iterable[Message]) -> SandboxResponse:
        after, before, sender = asked.moment("after"), asked.moment("before"), asked.query("sender_id")
        found = (
            (one.number, one)
            for one in newest_first
            if _within(one.at, after, before) and sender in (None, profile_ids.own_id(one.account_id))
        )
        page, cursor = _page(asked, found)
        return _list("MessageList", [_show_message(one) for one in page], cursor)


def milliseconds(moment: datetime) -> str:
    """Write 2026-04-12T19:09:31.566Z, cut, not rounded, so that no message seems later than it was."""
    return f"{iso(moment)[:-4]}Z"


def coarse(age: timedelta) -> tuple[str, timedelta]:
    """Return an age in LinkedIn's words, and a reader's interpretation.

    >>> coarse(timedelta(days=13, hours=5))
    ('Sent 1 week ago', datetime.timedelta(days=7))
    """
    for word, length in (("month", 30), ("week", 7), ("day", 1)):
        count = age.days // length
        if count >= 1:
            return f"Sent {count} {word}{'s' if count > 1 else ''} ago", timedelta(days=count * length)
    return "Sent today", timedelta()


def _page(
    asked: UnipileRequest, newest_first: Iterable[Item], most: int = MAX_PAGE_ITEMS
) -> tuple[list[Any], str | None]:
    limit, below = asked.limit(USUAL_PAGE, most), _position(asked.query("cursor"))
    page: list[Item] = []
    for number, item in newest_first:
        if below is not None and number >= below:
            continue
        if len(page) == limit:
            return [shown for _number, shown in page], _cursor(page[-1][0])
        page.append((number, item))
    return [shown for _number, shown in page], None


def _cursor(number: int) -> str:
    return urlsafe_b64encode(f"before {number}".encode()).decode()


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        word, _, number = urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        if word == "before":
            return int(number)
    except ValueError:
        pass
    raise Refused(400, "invalid_parameters", "The cursor is none that this list gave out.")


def _list(kind: str, items: list[dict[str, Any]], cursor: str | None) -> SandboxResponse:
    return json_answer(200, {"object": kind, "items": items, "cursor": cursor})


def _within(moment: datetime, after: str | None, before: str | None) -> bool:
    """Whether a moment lies between the two, both ends exclusive."""
    stamp = milliseconds(moment)
    return (after is None or stamp > after) and (before is None or stamp < before)


def _name(person: str) -> str:
    return " ".join(profile_ids.names(profile_ids.slug(person))).strip()


def _show_invitation(one: Invitation, now: datetime) -> dict[str, Any]:
    told, age = coarse(now - one.at)
    return {
        "object": "InvitationSent",
        "id": one.id,
        "date": told,
        "parsed_datetime": milliseconds(now - age),
        "invitation_text": one.text or None,
        "invited_user": _name(one.recipient),
        "invited_user_id": one.recipient,
        "invited_user_public_id": profile_ids.slug(one.recipient),
        "invited_user_description": "",
    }


def _show_relation(person: str, since: datetime) -> dict[str, Any]:
    first_name, last_name = profile_ids.names(profile_ids.slug(person))
    return {
        "object": "UserRelation",
        "member_id": person,
        "public_identifier": profile_ids.slug(person),
        "first_name": first_name,
        "last_name": last_name,
        "headline": "",
        "created_at": int(since.timestamp() * 1000),
    }


def _show_chat(chat: Chat, last: Message) -> dict[str, Any]:
    group = "," in chat.recipient
    return {
        "object": "Chat",
        "id": chat.id,
        "account_id": chat.account_id,
        "account_type": "LINKEDIN",
        "provider_id": chat.id,
        "attendee_provider_id": None if group else chat.recipient,
        "name": None,
        "type": 1 if group else 0,
        "timestamp": milliseconds(last.at),
        "unread_count": 0,
        "archived": 0,
        "muted_until": None,
        "read_only": 0,
        "disabledFeatures": [],
        "folder": ["INBOX", "INBOX_LINKEDIN_CLASSIC"],
    }


def _show_message(one: Message) -> dict[str, Any]:
    return {
        "object": "Message",
        "id": one.id,
        "provider_id": one.id,
        "account_id": one.account_id,
        "chat_id": one.chat_id,
        "text": one.text,
        "timestamp": milliseconds(one.at),
        "is_sender": 1,
        "sender_id": profile_ids.own_id(one.account_id),
        "message_type": "MESSAGE",
        "attachments": [],
        "delivered": 1,
        "seen": 0,
        "hidden": 0,
        "deleted": 0,
        "edited": 0,
        "is_event": 0,
    }
