"""Unipile, API v1: LinkedIn invitations and messages.

    send       resolve the recipient where it is a URL, POST once, read the answer (`judge`)
    look_up    is the account connected? then: the profile, the pending invitations, the chat's messages

Unipile has no idempotency key and no field for an id of ours, so a POST with a lost answer is uncertain until a look-up
finds it or proves its absence. errors.py has the meaning of answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta

from send_queue.model import (
    AlreadyDone,
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    LookUp,
    Outcome,
    ProbeResult,
    Retry,
    Sent,
)
from send_queue.providers.address import base_url
from send_queue.providers.credentials import Refusals, refused
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, answered_at, plain
from send_queue.providers.reach import host_of
from send_queue.providers.unipile.api import (
    GET,
    POST,
    _Account,
    _form_value,
    _id,
    _relation,
    _segment,
    _slug,
)
from send_queue.providers.unipile.errors import REFUSES_KEY
from send_queue.providers.unipile.look_up import _find_invitation, _find_message
from send_queue.rules import keys


class Unipile:
    """LinkedIn through Unipile.

    UNIPILE_DSN      the host and port from Unipile's dashboard, or a URL; http only on this machine.
    UNIPILE_API_KEY  the key of accounts without `secret_env`.
    """

    channels: frozenset[str] = frozenset({"linkedin_invite", "linkedin_message"})
    longest_call: timedelta
    lag: timedelta | None = timedelta(minutes=2)
    """Unipile states none; its users wait a minute or two."""
    secret: str = "UNIPILE_API_KEY"

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        post: Limits = POST,
        get: Limits = GET,
    ) -> None:
        self._env = env
        # The DSN on Unipile's dashboard is a host and a port.
        self._base = base_url(env, "UNIPILE_DSN", path="/api/v1", like="api8.unipile.com:13851")
        self._post, self._get = post, get
        self._http = Http(env=env)
        self._refusals = Refusals()
        # At most: resolve the recipient, POST, look up the cause of a refusal; and the time between.
        self.longest_call = timedelta(seconds=get.total + post.total + get.total + 5)

    def send(self, send: Claimed) -> Outcome:
        account = self._account(send)
        if isinstance(account, Hold):
            return account
        outcome: Outcome
        if known := self._refusals.known(account.key):
            return known
        if send.channel == "linkedin_invite":
            outcome = _invite(account, send)
        elif send.channel == "linkedin_message":
            outcome = _message(account, send)
        else:
            return Failed("channel_not_served", f"Unipile does not serve the channel {plain(send.channel, 40)}.")
        if isinstance(outcome, Hold) and outcome.code in REFUSES_KEY:
            outcome = refused(outcome, send.secret_env or self.secret)
            self._refusals.note(outcome, account.key)
        return outcome

    def look_up(self, send: Claimed) -> LookUp:
        try:
            account = self._account(send)
        except ConfigurationError as error:
            return CannotTell(str(error))
        if isinstance(account, Hold):
            return CannotTell(account.detail)
        connected = account.connected()
        if isinstance(connected, CannotTell):
            return connected
        if send.channel == "linkedin_invite":
            return _find_invitation(account, send)
        if send.channel == "linkedin_message":
            return _find_message(account, send, answered_at(connected))
        return CannotTell("Unipile does not serve this channel.")

    def check(self, send: Claimed) -> None:
        self._account(send)

    def probe(self, send: Claimed) -> ProbeResult:
        """Read the account: Unipile says whether it is connected."""
        account = self._account(send)
        if isinstance(account, Hold):
            return ProbeResult("refused", account.detail.rstrip("."))
        connected = account.connected()
        if isinstance(connected, Answer):
            return ProbeResult("reached")
        advice = f"connect it at Unipile, or check {send.secret_env or self.secret}, UNIPILE_DSN and the account's id"
        return ProbeResult("refused", f"{connected.detail.rstrip('.')}: {advice}")

    def hosts(self, send: Claimed) -> tuple[str]:  # noqa: ARG002 — the protocol's signature
        return (host_of(self._base),)

    def close(self) -> None:
        self._http.close()

    def _account(self, send: Claimed) -> _Account | Hold:
        """Return the account with its key. Raises `ConfigurationError` without a key in the environment."""
        variable = send.secret_env or self.secret
        key = self._env.get(variable, "").strip()
        if not key or not (key.isascii() and key.isprintable()):
            what = "holds characters that no key has" if key else "is not set"
            raise ConfigurationError(f"{variable} {what}: set it to Unipile's key.")
        if not send.provider_account_id:
            return Hold(
                "account",
                "provider_account_id_missing",
                "The account has no id at Unipile: give it one with `send-queue account set`.",
                after=timedelta(minutes=15),
            )
        until = time.monotonic() + self.longest_call.total_seconds()
        return _Account(self._http, self._base, self._post, self._get, key, send.provider_account_id, send, until)


# --- sending ----------------------------------------------------------------------------------------------


def _invite(account: _Account, send: Claimed) -> Outcome:
    recipient = _resolved(account, send.recipient)
    if not isinstance(recipient, str):
        return recipient
    body = {"provider_id": recipient, "account_id": account.id}
    if send.message.strip():
        body["message"] = send.message
    if email := send.payload.get("user_email"):
        body["user_email"] = str(email)
    said = account.post("/users/invite", json=body)
    if isinstance(said, Answer):
        return Sent(_id(said.json.get("invitation_id")), said.status)
    if isinstance(said, Failed) and said.code == "already_invited_recently":
        return _really_invited(account, recipient, said)
    return _who_is_missing(account, said)


def _message(account: _Account, send: Claimed) -> Outcome:
    chat_id = send.payload.get("chat_id")
    if chat_id is not None:
        if not isinstance(chat_id, str) or not _segment(chat_id):
            return Failed("invalid_payload", "payload.chat_id must be the id of a chat.")
        path, fields = f"/chats/{_segment(chat_id)}/messages", [("text", send.message)]
        fields.append(("account_id", account.id))
    else:
        linkedin = send.payload.get("linkedin") or {}
        if not isinstance(linkedin, Mapping) or any(not isinstance(v, str | bool | int) for v in linkedin.values()):
            return Failed("invalid_payload", "payload.linkedin must be an object of texts and true or false.")
        recipient = _resolved(account, send.recipient)
        if not isinstance(recipient, str):
            return recipient
        path, fields = "/chats", [("account_id", account.id), ("attendees_ids", recipient)]
        fields.append(("text", send.message))
        if send.subject:
            fields.append(("subject", send.subject))
        fields += [(f"linkedin[{k}]", _form_value(v)) for k, v in linkedin.items()]
    # A part without a file name is a field, the only documented form for chats.
    said = account.post(path, files=[(name, (None, value)) for name, value in fields])
    if isinstance(said, Answer):
        return Sent(_id(said.json.get("message_id")) or _id(said.json.get("chat_id")), said.status)
    return _who_is_missing(account, said)


def _resolved(account: _Account, recipient: str) -> str | Outcome:
    """Return the provider's id for a recipient, which holds for this account only."""
    slug = _slug(recipient)
    if not _segment(recipient if slug is None else slug):
        return Failed("invalid_recipient", "The recipient is neither an id of LinkedIn's nor a profile's URL.")
    if slug is None:
        return keys.clean(recipient)
    profile = account.profile(slug)
    if isinstance(profile, dict):
        return _id(profile["provider_id"]) or ""
    return _who_is_missing(account, profile)


def _really_invited(account: _Account, recipient: str, refused: Failed) -> Outcome:
    """Tell whether an invitation is pending: LinkedIn refuses a second one also weeks after the first was withdrawn."""
    profile = account.profile(recipient)
    if not isinstance(profile, dict):
        return Retry(refused.code, refused.detail, http_status=refused.http_status)
    done = _relation(profile)
    return AlreadyDone(done, refused.detail, refused.http_status) if done else refused


def _who_is_missing(account: _Account, outcome: Outcome) -> Outcome:
    """Tell after a 404 whether the recipient or the account is missing: Unipile's answer is the same.

    Taken for the recipient's, a wrong account id would fail the whole queue.
    """
    missing = ("resource_not_found", "invalid_resource_identifier")
    if not isinstance(outcome, Failed) or outcome.code not in missing:
        return outcome
    said = account.get(f"/accounts/{_segment(account.id)}")
    if isinstance(said, dict):
        return outcome
    if isinstance(said, Failed) and said.code in missing:
        advice = "Unipile has no account with this id: check it with `send-queue account show`."
        return Hold("account", "account_not_found", advice, http_status=outcome.http_status)
    return Retry(outcome.code, outcome.detail, http_status=outcome.http_status)
