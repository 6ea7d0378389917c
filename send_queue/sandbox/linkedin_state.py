"""The LinkedIn behind the Unipile routes: invitations, connections, chats.

It rebuilds its state from two files, so a killed sandbox continues after its next start:

    the journal   accepted invitations and messages
    the changes   account settings and withdrawals (FILE.changes, beside it)

Callers hold `lock`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from send_queue.sandbox.journal import Entry, Journal

INVITE_PERIOD = timedelta(days=7)
"""`invite_limit` counts an account's invitations of this time, withdrawn ones too."""

STATUSES = ("OK", "STOPPED", "ERROR", "CREDENTIALS", "PERMISSIONS", "CONNECTING")


class BadSettings(Exception):
    """An account's settings are invalid."""


@dataclass(slots=True)
class Invitation:
    number: int
    id: str
    account_id: str
    recipient: str
    text: str
    at: datetime
    visible_at: datetime | None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    number: int
    id: str
    chat_id: str
    account_id: str
    text: str
    at: datetime
    visible_at: datetime | None


@dataclass(slots=True)
class Chat:
    id: str
    account_id: str
    recipient: str
    messages: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """A sending identity: five settings, then its history.

    invite_limit            invitations per INVITE_PERIOD; null: no limit
    relations               its connections, each with the moment of its start
    messages_need_relation  refuse messages to others, as LinkedIn does without InMail
    unknown                 the provider does not know it
    """

    id: str
    since: datetime
    status: str = "OK"
    invite_limit: int | None = None
    relations: dict[str, datetime] = field(default_factory=dict)
    messages_need_relation: bool = False
    unknown: bool = False
    invitations: list[Invitation] = field(default_factory=list)
    invited: dict[str, Invitation] = field(default_factory=dict)
    recent: deque[datetime] = field(default_factory=deque)
    chats: dict[str, Chat] = field(default_factory=dict)

    def invitation_to(self, recipient: str) -> Invitation | None:
        """Return the last invitation to this person, in any state."""
        return self.invited.get(recipient)

    def knows(self, person: str) -> bool:
        """Whether the account has sent to this exact id, or is connected with it."""
        return person in self.relations or person in self.invited or chat_id_of(self.id, [person]) in self.chats

    def is_pending(self, invitation: Invitation) -> bool:
        """Whether the invitation is neither withdrawn nor accepted."""
        return invitation.withdrawn_at is None and invitation.recipient not in self.relations

    def invited_lately(self, now: datetime) -> int:
        """Count the invitations that use up the limit."""
        while self.recent and self.recent[0] <= now - INVITE_PERIOD:
            self.recent.popleft()
        return len(self.recent)

    def settings(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return {
            "id": self.id,
            "status": self.status,
            "invite_limit": self.invite_limit,
            "relations": list(self.relations),
            "messages_need_relation": self.messages_need_relation,
            "unknown": self.unknown,
        }


class LinkedInState:
    """All accounts. An undeclared account begins with its first use."""

    def __init__(
        self,
        provider: str,
        journal: Journal,
        changes: Journal,
        accounts: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], datetime],
    ) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self._provider = provider
        self._journal = journal
        self._changes = changes
        self._declared = {account_id: _checked(settings) for account_id, settings in accounts.items()}
        self._start_afresh()
        for entry in journal.entries():
            if entry["provider"] == provider:
                self._apply(entry)
        for change in changes.entries():
            self._apply_change(change)

    def _start_afresh(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._invitations: dict[str, Invitation] = {}
        self._chats: dict[str, Chat] = {}
        self._count = 0
        self._last_id = 0
        for account_id, settings in self._declared.items():
            self._apply_settings(account_id, settings, self.clock())

    def forget(self) -> None:
        """Restore the accounts of the start."""
        with self.lock:
            self._start_afresh()

    # --- reads --------------------------------------------------------------------------------------------

    def account(self, account_id: str) -> Account:
        """Return the account of this id, new if needed."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = Account(account_id, since=self.clock())
        return account

    def accounts(self) -> list[Account]:
        """List every account that any request has named."""
        return list(self._accounts.values())

    def chat(self, chat_id: str) -> Chat | None:
        """Return the chat of this id."""
        return self._chats.get(chat_id)

    def invitation(self, invitation_id: str) -> Invitation | None:
        """Return the invitation of this id."""
        return self._invitations.get(invitation_id)

    def new_invitation_id(self) -> str:
        """Make a number of 19 digits, like LinkedIn's, larger than all before."""
        self._last_id = max(self._last_id + 1, time.time_ns())
        return str(self._last_id)

    # --- changes ------------------------------------------------------------------------------------------

    def accept(self, entry: Entry) -> int:
        """Write a send to the journal, then apply it. Pass the ticket to `settle` before the answer."""
        ticket = self._journal.append(entry)
        self._apply(entry)
        return ticket

    def settle(self, ticket: int) -> None:
        """Wait until the disk has the send. Call it without the lock: many threads share one fdatasync."""
        self._journal.sync(ticket)

    def withdraw(self, invitation: Invitation) -> None:
        """Withdraw a pending invitation."""
        self._change({"at": iso(self.clock()), "provider": self._provider, "withdrawn": invitation.id})

    def configure(self, account_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change the given settings; return all. Raises `BadSettings`."""
        checked = _checked(settings)
        with self.lock:
            at = iso(self.clock())
            self._change({"at": at, "provider": self._provider, "account_id": account_id, "settings": checked})
            return self.account(account_id).settings()

    def _change(self, change: Entry) -> None:
        ticket = self._changes.append(change)
        self._apply_change(change)
        self._changes.sync(ticket)  # rare, so it may wait under the lock

    def _apply(self, entry: Entry) -> None:
        self._count += 1
        account = self.account(entry["account_id"])
        at = datetime.fromisoformat(entry["at"])
        late = entry.get("visible_at")
        visible_at = datetime.fromisoformat(late) if late else None
        if entry["channel"] == "linkedin_invite":
            invitation = Invitation(
                self._count, entry["id"], account.id, entry["recipient"], entry["text"], at, visible_at
            )
            account.invitations.append(invitation)
            account.invited[invitation.recipient] = invitation
            account.recent.append(at)
            self._invitations[invitation.id] = invitation
            self._last_id = max(self._last_id, int(invitation.id))
        else:
            chat = self._chats.get(entry["chat_id"])
            if chat is None:
                chat = Chat(entry["chat_id"], account.id, entry["recipient"])
                self._chats[chat.id] = account.chats[chat.id] = chat
            chat.messages.append(Message(self._count, entry["id"], chat.id, account.id, entry["text"], at, visible_at))

    def _apply_change(self, change: Entry) -> None:
        if change["provider"] != self._provider:
            return
        at = datetime.fromisoformat(change["at"])
        if "settings" in change:
            self._apply_settings(change["account_id"], change["settings"], at)
        else:
            self._invitations[change["withdrawn"]].withdrawn_at = at

    def _apply_settings(self, account_id: str, settings: Mapping[str, Any], at: datetime) -> None:
        account = self.account(account_id)
        for name, value in settings.items():
            if name == "relations":
                account.relations = {person: account.relations.get(person, at) for person in value}
            else:
                setattr(account, name, value)


def chat_id_of(account_id: str, attendees: list[str]) -> str:
    """Return the chat id of these people, equal for any order and any of them as the account."""
    key = "\0".join([account_id, *sorted(set(attendees))])
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:22]


def iso(moment: datetime) -> str:
    """Write 2026-04-12T19:09:31.566123Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in settings.items():
        match name, value:
            case "status", str() if value in STATUSES:
                pass
            case "invite_limit", None:
                pass
            case "invite_limit", int() if value >= 0 and not isinstance(value, bool):
                pass
            case "relations", list() if all(isinstance(person, str) for person in value):
                pass
            case (("messages_need_relation" | "unknown"), bool()):
                pass
            case (("status" | "invite_limit" | "relations" | "messages_need_relation" | "unknown"), _):
                raise BadSettings(f"An account's {name} cannot be {value!r}.")
            case _:
                raise BadSettings(f"An account has no setting {name}.")
    return dict(settings)
