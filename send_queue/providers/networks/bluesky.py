"""Bluesky: a record in the account's repository, under a key of ours.

    POST /xrpc/com.atproto.repo.putRecord     repeating it with the same key and record changes nothing
    GET  /xrpc/com.atproto.repo.getRecord     read it
    GET  /xrpc/com.atproto.server.getSession  the token's profile

The key derives from the send's id, and the record is equal on every try, with createdAt the moment when the send was
due. So a post exists once, even after lost answers (the lexicons, and putRecord.ts of the personal data server).
createRecord would do too, but answers 500 for a taken key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from send_queue.model import CannotTell, Claimed, Found, LookUp, NotThere, Outcome, Sent
from send_queue.providers.http_answer import Answer
from send_queue.providers.meaning import Meaning
from send_queue.providers.networks.base import (
    EXPIRED,
    IN_DOUBT,
    REFUSED,
    Network,
    Profile,
    broken,
    id_in,
    judge,
    name_of,
    odd,
    reset_after,
    waits,
)
from send_queue.rules.post_length import bare, graphemes, links

AGAIN = broken("Connect the account again, then resume it.")

MEANINGS: Mapping[str, Meaning] = {
    "InvalidRequest": REFUSED,  # an invalid record, or another token's repository
    "InvalidSwap": Meaning("retry"),  # another write to the repository came between
    "InvalidRecord": REFUSED,
    "PayloadTooLarge": REFUSED,
    "ExpiredToken": EXPIRED,  # with HTTP 400
    "InvalidToken": AGAIN,
    "AuthMissing": AGAIN,
    "AuthRequired": AGAIN,
    "AuthenticationRequired": AGAIN,
    "Forbidden": AGAIN,
    "AccountTakedown": broken("Bluesky has taken the account down."),
    "AccountDeactivated": broken("The account is deactivated."),
    "AccountSuspended": broken("Bluesky has suspended the account."),
    "RepoNotFound": broken("No repository there has the account's DID: is base_url its data server?"),
    "RateLimitExceeded": waits(60),  # 5,000 points an hour, 35,000 a day; a post costs 3
    "InternalServerError": IN_DOUBT,
    "UpstreamFailure": IN_DOUBT,
    "UpstreamTimeout": IN_DOUBT,
    "NotEnoughResources": IN_DOUBT,
    "MethodNotImplemented": Meaning("odd"),  # not a personal data server
    "XRPCNotSupported": Meaning("odd"),
    "http_401": AGAIN,
    "http_429": waits(60),
}

COLLECTION = "app.bsky.feed.post"
MAX_TEXT_BYTES = 3000
_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"


class Bluesky(Network):
    """A profile on Bluesky or another AT Protocol data server. The account's id is its DID. Settings: base_url, the
    data server (default bsky.social); `language`, that of its posts.
    """

    name, variable, default, longest = "Bluesky", "BLUESKY_BASE_URL", "https://bsky.social", 300
    id_is = (r"did:[a-z]+:[A-Za-z0-9._:%-]+", "its DID (did:plc:…)")
    lag: timedelta | None = timedelta(minutes=1)
    """Records are readable at once, but a request may be under way for the length of a call."""

    @classmethod
    def length(cls, text: str) -> int:
        return graphemes(text)

    @classmethod
    def unfit(cls, text: str, settings: Mapping[str, Any]) -> str | None:
        if (length := len(text.encode())) > MAX_TEXT_BYTES:
            return f"The text has {length} bytes, and {cls.name} takes {MAX_TEXT_BYTES}: shorten it."
        return super().unfit(text, settings)

    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        body = {"repo": profile.id, "collection": COLLECTION, "rkey": record_key(send.send_id), "record": record(send)}
        answer = profile.post("/xrpc/com.atproto.repo.putRecord", json=body)
        if not isinstance(answer, Answer):
            return answer
        said = answer.json if isinstance(answer.json, dict) else {}
        if answer.status == 200 and (uri := name_of(said.get("uri"))):
            return Sent(uri, answer.status)
        if 200 <= answer.status < 300:
            return odd(answer.status, answer.text, send)
        code = said.get("error") if isinstance(said.get("error"), str) else None
        if code == "InvalidRequest" and str(said.get("message")).startswith("Could not find repo"):
            code = "RepoNotFound"
        wait = reset_after(answer, "ratelimit-reset", send.started_at) if answer.status == 429 else None
        return judge(answer, send, code, MEANINGS, detail=str(said.get("message") or ""), wait=wait)

    def me(self, profile: Profile) -> tuple[Answer | CannotTell, str | None]:
        answer = profile.ask("/xrpc/com.atproto.server.getSession")
        return answer, id_in(answer, "did")

    def find(self, profile: Profile, send: Claimed) -> LookUp:
        answer = profile.ask(
            "/xrpc/com.atproto.repo.getRecord",
            {"repo": profile.id, "collection": COLLECTION, "rkey": record_key(send.send_id)},
        )
        if isinstance(answer, CannotTell):
            return answer
        said = answer.json if isinstance(answer.json, dict) else {}
        if answer.status == 400 and said.get("error") == "RecordNotFound":
            return NotThere()
        value = said.get("value")
        if answer.status != 200 or not isinstance(value, dict) or not (uri := name_of(said.get("uri"))):
            return CannotTell(f"http_{answer.status}: {answer.text}")
        if not isinstance(value.get("text"), str) or bare(value["text"]) != bare(send.message):
            return CannotTell("The record under this send's key has another text.")
        return Found(uri)


def record_key(send_id: UUID) -> str:
    """Derive a TID from the send's id: 13 digits from its milliseconds and its next bits, so that keys differ and sort
    like their sends (atproto.com/specs/tid).

    An id without a usable time (not a UUID of version 7, or past 2255) gives a key from its digest, before 2006.

    >>> record_key(UUID("019ab1c2-0000-7000-8000-000000000000"))
    '3m6ctix222222'
    """
    if made := _milliseconds(send_id):
        # A TID counts 1,024 parts of a microsecond: a millisecond has room for 20 bits of the id.
        bits = (send_id.int >> 64 & 0xFFF) << 8 | (send_id.int >> 54 & 0xFF)
        value = made * 1_024_000 + (bits * 1_024_000 >> 20)
    else:
        value = int.from_bytes(sha256(send_id.bytes).digest()[:8], "big") >> 4
    return "".join(_DIGITS[value >> shift & 31] for shift in range(60, -1, -5))


def record(send: Claimed) -> dict[str, Any]:
    """Make the post, equal on every try."""
    made: dict[str, Any] = {
        "$type": COLLECTION,
        "text": send.message,
        "createdAt": _moment(_dated(send)),
    }
    if language := send.settings.get("language"):
        made["langs"] = [str(language)]
    # Links need their places in UTF-8 bytes.
    facets = [
        {
            "index": {"byteStart": len(send.message[:begin].encode()), "byteEnd": len(send.message[:end].encode())},
            "features": [{"$type": "app.bsky.richtext.facet#link", "uri": send.message[begin:end]}],
        }
        for begin, end in links(send.message)
    ]
    if facets:
        made["facets"] = facets
    return made


def _dated(send: Claimed) -> datetime:
    """Return the post's date, equal on each try: the planned moment (`payload.dated`), else that of enqueueing."""
    try:
        dated = datetime.fromisoformat(str(send.payload.get("dated")))
    except ValueError:
        dated = None
    return dated if dated and dated.tzinfo else send.created_at or send.started_at


def _milliseconds(send_id: UUID) -> int | None:
    """Return the moment in an id, in milliseconds since 1970; None: it has none, or none that fits a TID."""
    made = send_id.int >> 80
    return made if send_id.version == 7 and made < 2**53 // 1000 else None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
