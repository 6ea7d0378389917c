"""Unipile's API v1, as far as a sender uses it.

    POST   /users/invite              invite          GET /users/{identifier}     profile
    POST   /chats                     chat            GET /users/relations        relations
    POST   /chats/{id}/messages       message         GET /chats                  chats
    GET    /users/invite/sent         invitations     GET /chats/{id}/messages    chat_messages
    DELETE /users/invite/sent/{id}    withdraw        GET /messages               messages
                                                      GET /accounts/{id}          account

It accepts a send in one step under the state's lock (check, journal, state), and answers once the disk has it.
Three habits of Unipile matter to a sender: it refuses a second invitation, but never a second message; an account that
is not OK refuses sends, but reads answer from the cache; lists may be late.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from urllib.parse import unquote

from send_queue.sandbox import profile_ids
from send_queue.sandbox.http_messages import Request, SandboxCall, SandboxResponse, json_answer
from send_queue.sandbox.journal import Entry
from send_queue.sandbox.linkedin_state import Account, LinkedInState, chat_id_of, iso
from send_queue.sandbox.unipile_errors import Refused, error
from send_queue.sandbox.unipile_reads import Reads
from send_queue.sandbox.unipile_request import UnipileRequest, read

NOTE_LENGTH = 300  # characters of an invitation's note
USAGE_STEPS_PERCENT = (95, 90, 75, 50)  # percent of the limit: answers have `usage` only at these steps
RE_INVITE_AFTER = timedelta(days=21)  # LinkedIn refuses a new invitation for so long after a withdrawal

_ROUTES = [
    (method, re.compile(f"/api/v1/{pattern}/?"), op)
    for method, pattern, op in (
        ("POST", "users/invite", "invite"),
        ("GET", "users/invite/sent", "invitations"),
        ("DELETE", "users/invite/sent/([^/]+)", "withdraw"),
        ("GET", "users/relations", "relations"),
        ("GET", "users/([^/]+)", "profile"),
        ("POST", "chats", "chat"),
        ("GET", "chats", "chats"),
        ("POST", "chats/([^/]+)/messages", "message"),
        ("GET", "chats/([^/]+)/messages", "chat_messages"),
        ("GET", "messages", "messages"),
        ("GET", "accounts/([^/]+)", "account"),
    )
]

# Headers by which clients recognise their requests. Unipile ignores them; the journal keeps them.
_TELLING_HEADERS = ("idempotency-key", "x-idempotency-key", "x-request-id", "x-send-id", "webhook-id")


class Unipile:
    """The provider. `api_key=None` accepts any key that is not empty.

    redirect_profiles   answer 301 for a profile's path without its last slash, as one SDK reports
    viewer_scoped_ids   answer 404 for an id that another account found
    """

    name = "unipile"
    prefixes: Sequence[str] = ("/api/v1/",)
    ops: Collection[str] = tuple(op for _method, _pattern, op in _ROUTES)

    def __init__(
        self,
        world: LinkedInState,
        *,
        api_key: str | None = None,
        redirect_profiles: bool = False,
        viewer_scoped_ids: bool = False,
    ) -> None:
        self._world = world
        self._api_key = api_key
        self._viewer_scoped_ids = viewer_scoped_ids
        reads = Reads(world, redirect_profiles=redirect_profiles, viewer_scoped_ids=viewer_scoped_ids)
        self._reads: dict[str, Callable[[UnipileRequest], SandboxResponse]] = {
            "profile": reads.profile,
            "invitations": reads.invitations,
            "relations": reads.relations,
            "chats": reads.chats,
            "chat_messages": reads.chat_messages,
            "messages": reads.messages,
            "account": reads.account,
            "withdraw": self._withdraw,
        }
        self._sends: dict[str, Callable[[UnipileRequest, timedelta], SandboxResponse]] = {
            "invite": self._invite,
            "chat": self._start_chat,
            "message": self._message,
        }

    def forget(self) -> None:
        """Restore the initial state."""
        self._world.forget()

    def error(self, status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
        """Make an error in Unipile's form."""
        return error(status, code, title, detail)

    def understand(self, request: Request) -> SandboxCall:
        """Find the route, and account and recipient as far as the request names them."""
        op, named = _route(request)
        asked = read(request, op, named)
        account_id, recipient = self._between(asked)
        return SandboxCall(
            self.name, op, account_id, recipient, request.path, lambda hidden: self._answer(asked, hidden)
        )

    def _between(self, asked: UnipileRequest) -> tuple[str | None, str | None]:
        match asked.op:
            case "invite":
                return asked.get("account_id"), asked.get("provider_id")
            case "chat":
                return asked.get("account_id"), ",".join(asked.all("attendees_ids")) or None
            case "message" | "chat_messages":
                with self._world.lock:
                    chat = self._world.chat(asked.named)
                return (chat.account_id, chat.recipient) if chat else (None, None)
            case "profile":
                return asked.query("account_id"), asked.named
            case "account":
                return asked.named, None
            case _:
                return asked.query("account_id"), None

    def _answer(self, asked: UnipileRequest, hidden: timedelta) -> SandboxResponse:
        try:
            self._check_key(asked.request)
            if asked.op in self._sends:
                asked.refuse_bad_body()
                return self._sends[asked.op](asked, hidden)
            if asked.op in self._reads:
                return self._reads[asked.op](asked)
            raise Refused(404, "resource_not_found", f"Cannot {asked.request.method} {asked.request.path}")
        except Refused as refused:
            return refused.answer()

    def _check_key(self, request: Request) -> None:
        key = request.headers.get("x-api-key", "")
        if not key or (self._api_key is not None and key != self._api_key):
            raise Refused(401, "missing_credentials")

    # --- sends --------------------------------------------------------------------------------------------

    def _invite(self, asked: UnipileRequest, hidden: timedelta) -> SandboxResponse:
        account_id, recipient = asked.need("account_id"), asked.need("provider_id")
        note = asked.get("message") or ""
        if len(note) > NOTE_LENGTH:
            raise Refused(400, "too_many_characters", f"The message is longer than {NOTE_LENGTH} characters.")
        with self._world.lock:
            account = self._sender(account_id)
            self._check_person(account, recipient)
            self._check_may_invite(account, recipient)
            entry = self._entry(asked, account, "linkedin_invite", recipient, note, hidden)
            entry["id"] = self._world.new_invitation_id()
            ticket = self._world.accept(entry)
            usage = _landing(account.invited_lately(self._world.clock()), account.invite_limit)
        self._world.settle(ticket)
        body = {"object": "UserInvitationSent", "invitation_id": entry["id"]}
        return json_answer(200, body if usage is None else {**body, "usage": usage})

    def _check_may_invite(self, account: Account, recipient: str) -> None:
        """Check the person before the limit: a repeated invitation is refused as such even in a full week."""
        if recipient in account.relations:
            raise Refused(422, "already_connected")
        now = self._world.clock()
        last = account.invitation_to(recipient)
        if last is not None and (last.withdrawn_at is None or now < last.withdrawn_at + RE_INVITE_AFTER):
            raise Refused(422, "already_invited_recently")
        if account.invite_limit is not None and account.invited_lately(now) >= account.invite_limit:
            raise Refused(422, "cannot_resend_yet")

    def _start_chat(self, asked: UnipileRequest, hidden: timedelta) -> SandboxResponse:
        account_id, attendees = asked.need("account_id"), asked.all("attendees_ids")
        if not attendees:
            raise Refused(400, "missing_parameters", "attendees_ids is required.")
        text = asked.content()
        with self._world.lock:
            account = self._sender(account_id)
            for attendee in attendees:
                self._check_person(account, attendee)
                self._check_may_write(account, attendee)
            entry = self._entry(asked, account, "linkedin_message", ",".join(attendees), text, hidden)
            entry["chat_id"] = chat_id_of(account_id, attendees)
            ticket = self._world.accept(entry)
        self._world.settle(ticket)
        answer = {"object": "ChatStarted", "chat_id": entry["chat_id"], "message_id": entry["id"]}
        return json_answer(201, answer)

    def _message(self, asked: UnipileRequest, hidden: timedelta) -> SandboxResponse:
        text = asked.content()
        with self._world.lock:
            chat = self._world.chat(asked.named)
            if chat is None:
                raise Refused(404, "resource_not_found", "Chat not found.")
            if asked.get("account_id") not in (None, chat.account_id):
                raise Refused(403, "account_mismatch", "The chat does not belong to this account.")
            account = self._sender(chat.account_id)
            for attendee in chat.recipient.split(","):
                self._check_may_write(account, attendee)
            entry = self._entry(asked, account, "linkedin_message", chat.recipient, text, hidden)
            entry["chat_id"] = chat.id
            ticket = self._world.accept(entry)
        self._world.settle(ticket)
        return json_answer(201, {"object": "MessageSent", "message_id": entry["id"]})

    def _withdraw(self, asked: UnipileRequest) -> SandboxResponse:
        with self._world.lock:
            account = self._sender(asked.need_query("account_id"))
            invitation = self._world.invitation(asked.named)
            if invitation is None or invitation.account_id != account.id or not account.is_pending(invitation):
                raise Refused(404, "resource_not_found", "Invitation not found.")
            self._world.withdraw(invitation)
        return json_answer(200, {"object": "InvitationCanceled"})

    def _sender(self, account_id: str) -> Account:
        """Return the account, or raise `Refused` if it may not send now."""
        account = self._world.account(account_id)
        if account.unknown:
            raise Refused(404, "resource_not_found", "Account not found.")
        if account.status != "OK":
            raise Refused(401, "disconnected_account")
        return account

    def _check_person(self, account: Account, recipient: str) -> None:
        if not profile_ids.is_identifier(recipient):
            raise Refused(422, "invalid_recipient")
        if self._viewer_scoped_ids and profile_ids.is_another_viewers(recipient, account.id):
            raise Refused(404, "resource_not_found", "User not found.")

    def _check_may_write(self, account: Account, attendee: str) -> None:
        if account.messages_need_relation and attendee not in account.relations:
            raise Refused(422, "no_connection_with_recipient")

    def _entry(
        self, asked: UnipileRequest, account: Account, channel: str, recipient: str, text: str, hidden: timedelta
    ) -> Entry:
        now = self._world.clock()
        entry: Entry = {
            "at": iso(now),
            "provider": self.name,
            "account_id": account.id,
            "channel": channel,
            "recipient": recipient,
            "text": text,
            "id": secrets.token_urlsafe(16),
        }
        headers = {name: asked.request.headers[name] for name in _TELLING_HEADERS if name in asked.request.headers}
        if headers:
            entry["headers"] = headers
        if hidden:
            entry["visible_at"] = iso(now + hidden)
        return entry


def _route(request: Request) -> tuple[str, str]:
    """Return the op and the id of the path; an empty op for an unknown path."""
    for method, pattern, op in _ROUTES:
        if method == request.method and (found := pattern.fullmatch(request.path)):
            return op, unquote(found[1]) if found.groups() else ""
    return "", ""


def _landing(used: int, limit: int | None) -> int | None:
    """Return the step in percent that the last of `used` invitations reached; None: none.

    >>> [_landing(used, 20) for used in (9, 10, 11, 15, 18, 19, 20)]
    [None, 50, None, 75, 90, 95, None]
    """
    if not limit:
        return None
    for landing in USAGE_STEPS_PERCENT:
        if (used - 1) * 100 < landing * limit <= used * 100:
            return landing
    return None
