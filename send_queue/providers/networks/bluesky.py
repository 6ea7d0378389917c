"""Bluesky: a record in the account's repository, under a key that we choose.

    POST /xrpc/com.atproto.repo.putRecord     the same key and the same record: nothing happens the second time
    GET  /xrpc/com.atproto.repo.getRecord     is it there?

The key is made of the send's id, and the record of what does not change from try to try, its createdAt being the moment
when the send was due. So a post is there once, whatever becomes of answers (the lexicons, and putRecord.ts of the
personal data server). createRecord would do as well, but answers 500 where the key is taken.
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
    judge,
    name_of,
    odd,
    reset_after,
    waits,
)
from send_queue.rules.post_length import bare, graphemes, links

AGAIN = broken("Connect the account again, then resume it.")

MEANINGS: Mapping[str, Meaning] = {
    "InvalidRequest": REFUSED,  # the record is none, or the repository is not this token's
    "InvalidSwap": Meaning("retry"),  # somebody else wrote to the repository meanwhile
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
    "RateLimitExceeded": waits(60),  # 5,000 points an hour, 35,000 a day; a post is 3
    "InternalServerError": IN_DOUBT,
    "UpstreamFailure": IN_DOUBT,
    "UpstreamTimeout": IN_DOUBT,
    "NotEnoughResources": IN_DOUBT,
    "MethodNotImplemented": Meaning("odd"),  # it is no personal data server
    "XRPCNotSupported": Meaning("odd"),
    "http_401": AGAIN,
    "http_429": waits(60),
}

COLLECTION = "app.bsky.feed.post"
MAX_TEXT_BYTES = 3000
_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"


class Bluesky(Network):
    """A profile on Bluesky, or on any AT Protocol data server. The account's id is its DID; its setting base_url the
    data server, where that is not bsky.social; `language` is told of its posts where it is set.
    """

    name, variable, default, longest = "Bluesky", "BLUESKY_BASE_URL", "https://bsky.social", 300
    id_is = (r"did:[a-z]+:[A-Za-z0-9._:%-]+", "its DID (did:plc:…)")
    lag: timedelta | None = timedelta(minutes=1)
    """A record can be read as soon as it is written; but a request may be on its way for as long as its call lasts."""

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
    """A TID that is the same for a send whenever it is made: 13 digits, of the id's milliseconds and then its next
    bits, so that the keys of two sends differ and stand in their order (atproto.com/specs/tid).

    An id without a time (no UUID of version 7, or one of the year 2255) gets a key of its digest, before 2006.

    >>> record_key(UUID("019ab1c2-0000-7000-8000-000000000000"))
    '3m6ctix222222'
    """
    if made := _milliseconds(send_id):
        # A TID counts 2^10 parts of a microsecond: 1,024,000 of a millisecond, in which 20 bits of the id are told.
        bits = (send_id.int >> 64 & 0xFFF) << 8 | (send_id.int >> 54 & 0xFF)
        value = made * 1_024_000 + (bits * 1_024_000 >> 20)
    else:
        value = int.from_bytes(sha256(send_id.bytes).digest()[:8], "big") >> 4
    return "".join(_DIGITS[value >> shift & 31] for shift in range(60, -1, -5))


def record(send: Claimed) -> dict[str, Any]:
    """The post: the same bytes on every try."""
    made: dict[str, Any] = {
        "$type": COLLECTION,
        "text": send.message,
        "createdAt": _moment(_dated(send)),
    }
    if language := send.settings.get("language"):
        made["langs"] = [str(language)]
    # Nothing in a text is a link there unless it is said where, in bytes of UTF-8.
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
    """The moment that the post bears: when it was to go (`payload.dated`), else when it was enqueued; on each try the
    same."""
    try:
        dated = datetime.fromisoformat(str(send.payload.get("dated")))
    except ValueError:
        dated = None
    return dated if dated and dated.tzinfo else send.created_at or send.started_at


def _milliseconds(send_id: UUID) -> int | None:
    """When an id was made, in milliseconds since 1970; null where it does not say, or no TID could."""
    made = send_id.int >> 80
    return made if send_id.version == 7 and made < 2**53 // 1000 else None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
