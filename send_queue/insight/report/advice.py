"""Problems for a person, the worst first, each with its command. Pure: derived from the status alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Advice:
    """One problem: its severity, a sentence, the remedy, and the remedy's command."""

    weight: Literal["bad", "doubt", "wait"]
    what: str
    do: str
    command: str | None = None


def advice(status: Json) -> list[Advice]:
    """List the problems; those of an account or a workspace once, whatever its lanes."""
    found = [*_lanes(status["lanes"]), *_rows(status)]
    order = ["bad", "doubt", "wait"]
    return sorted(dict.fromkeys(found), key=lambda item: order.index(item.weight))


def _lanes(lanes: list[Json]) -> Iterator[Advice]:
    several = len({lane["workspace"] for lane in lanes}) > 1
    for lane in sorted(lanes, key=lambda lane: lane["used_week"], reverse=True):  # the busiest first
        rule, _, detail = (lane["why"] or "").partition(": ")
        where = ["--workspace", lane["workspace"]] if several else []
        account = f"The account {lane['account']}"
        of_lane = f"{account}, {lane['channel']},"
        match rule:
            case "disconnected":
                yield Advice("bad", _sentence(f"{account} is disconnected", detail), "Mend it at the provider, then:",
                             _command("resume", "account", lane["account"], *where))  # fmt: skip
            case "provider_hold":
                yield Advice("wait", _sentence(f"{of_lane} is held by its provider", detail),
                             "It goes on by itself. To end the hold early:",
                             _command("resume", "lane", lane["account"], lane["channel"], *where))  # fmt: skip
            case "paused":
                yield _paused(lane, detail, where)


def _paused(lane: Json, detail: str, where: list[str]) -> Advice:
    level, _, reason = detail.partition(": ")
    account = lane["account"]
    match level:
        case "workspace":
            what, words = f"The workspace {lane['workspace']}", ["workspace", lane["workspace"]]
        case "lane":
            what, words = f"The account {account}, {lane['channel']},", ["lane", account, lane["channel"], *where]
        case _ if level.startswith("campaign "):
            name = level.removeprefix("campaign ")
            what, words = f"The campaign {name}", ["campaign", name, *where]
        case _ if re.fullmatch(r"\d+ campaigns", level):
            return Advice("wait", f"Nothing goes from the account {account}: {level} are paused.",
                          "To see them, and go on with one:", _command("campaign", "list"))  # fmt: skip
        case _:
            what, reason, words = f"The account {account}", detail, ["account", account, *where]
    return Advice("wait", _sentence(f"{what} is paused", reason), "To go on:", _command("resume", *words))


def _sentence(what: str, why: str) -> str:
    return f"{what}: {why}".removesuffix(".") + "." if why else f"{what}."


def _rows(status: Json) -> Iterator[Advice]:
    if n := status["failed"]:
        yield Advice("bad", f"{_sends(n)} failed and will not be retried.",
                     "Mend the cause, listed below, and retry them, or cancel those whose recipient is wrong:",
                     "send-queue retry --code CODE   (or cancel ID)")  # fmt: skip
    if n := status["uncertain"]:
        asked = status["look_ups"]["sends"]
        do = ("The next runs query the provider about them; settle the rest afterwards." if asked >= n
              else "Look at the provider whether they arrived, then settle each:")  # fmt: skip
        yield Advice("doubt", f"{_sends(n)} may or may not have gone out.", do,
                     None if asked >= n else "send-queue settle ID --sent   (or --not-sent)")  # fmt: skip
    for code, n in status["retrying"].items():
        yield Advice("wait", f"{_sends(n)} met {code} and will be retried.", "They go on by themselves.")


def _sends(n: int) -> str:
    return "1 send" if n == 1 else f"{n:,} sends"


def _command(*words: str) -> str:
    return shlex.join(["send-queue", *words])
