"""The status on a terminal. Only this module imports rich.

From the top: counts, the next send, problems for a person, campaigns, lanes. Lanes are the many and come last: the
screen's end cuts them, and a line counts the hidden ones.

`printable` shows stored text, and rich never reads it as markup: no name can colour the screen.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from send_queue.cli.output import printable, short
from send_queue.cli.status import needs_attention, summary, used_of_cap

Json = dict[str, Any]

MAX_LANES = 60
"""Lanes on a terminal that scrolls; a pipe gets them all."""

COLOURS = {"sent": "green", "sending": "cyan", "in_flight": "cyan", "pending": "blue", "failed": "bold red",
           "uncertain": "bold yellow", "skipped": "dim"}  # fmt: skip
"""Colours by status, in the order of the head line."""

EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR, NARROW_BAR = 12, 6
"""Characters of a bar."""


def console(env: Mapping[str, str]) -> Console:
    """Describe the terminal: width, colours (NO_COLOR, TERM), characters beyond ASCII."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, _environ=env)


def view(
    status: Json,
    first: Json | None,
    zone: tzinfo,
    on: Console,
    height: int | None = None,
    lost: str = "",
) -> RenderableType:
    """Lay out the status, in `height` lines if given; `lost` is the error since which it is outdated."""
    at = datetime.fromisoformat(status["at"])
    above: list[RenderableType] = [_head(status, at, zone, on)]
    if lost:
        above.append(Text(f"Outdated: {printable(lost)}", "bold red"))
    above += [Text(sentence) for sentence in summary(status)]
    if first:
        above.append(_first(first, at, zone))
    above += [Text(sentence, _weight(sentence)) for sentence in needs_attention(status, zone)]
    if status["campaigns"]:
        above += ["", _campaigns(status["campaigns"], on)]
    if not status["lanes"]:
        return Group(*above, Text("There are no lanes yet: see `send-queue account add --help`.", "dim"))
    left = MAX_LANES if height is None else height - _lines(Group(*above), on) - 4
    return Group(*above, "", *_lanes(status["lanes"], max(left, 1), height is not None, at, zone, on))


def _lines(what: RenderableType, on: Console) -> int:
    return len(on.render_lines(what, pad=False))


def _weight(sentence: str) -> str:
    return "yellow" if "uncertain" in sentence or "will be retried" in sentence else "red"


# --- what there is ----------------------------------------------------------------------------------------


def _head(status: Json, at: datetime, zone: tzinfo, on: Console) -> Text:
    text = Text.assemble(("send-queue", "bold"), f"  {short(at, zone)}")
    if (name := str(zone)) not in short(at, zone):
        text.append(f" ({name})", "dim")
    text.append("\n")
    counts = [(n, name) for name in COLOURS if (n := status["queue"].get(name, 0))]
    for i, (n, name) in enumerate(counts):
        text.append(_gap(on) if i else "").append(f"{n:,} {name.replace('sending', 'in flight')}", COLOURS[name])
    return text if counts else text.append("The queue is empty.", "dim")


def _gap(on: Console) -> str:
    return ", " if on.options.ascii_only else " · "


def _first(first: Json, at: datetime, zone: tzinfo) -> Text:
    what = f"{first['channel']} of {first['account']} for {first['campaign']}"
    return Text.assemble("Next: ", (printable(what), "bold"), ", ", _when(first["next_at"], at, zone))


def _when(moment: str | datetime, at: datetime, zone: tzinfo) -> str:
    """Write 12:30, in 25m; with the weekday on another day, the date in another week."""
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if when <= at:
        return "now"
    there, here = when.astimezone(zone), at.astimezone(zone)
    days = (there.date() - here.date()).days
    form = "%H:%M" if days == 0 else "%a %H:%M" if days < 7 else "%Y-%m-%d %H:%M"
    return f"{there:{form}}, in {_in(when - at)}"


def _in(wait: timedelta) -> str:
    """Write a duration in its two largest units.

    >>> _in(timedelta(seconds=50)), _in(timedelta(hours=1, minutes=5)), _in(timedelta(days=3, hours=2))
    ('50s', '1h05m', '3d2h')
    """
    seconds = round(wait.total_seconds())
    if seconds < 60:
        return f"{seconds}s"
    in_all = round(seconds / 60)
    days, hours, minutes = in_all // 1440, in_all // 60 % 24, in_all % 60
    return f"{days}d{hours}h" if days else f"{hours}h{minutes:02d}m" if hours else f"{minutes}m"


# --- campaigns and lanes ----------------------------------------------------------------------------------


def _campaigns(campaigns: list[Json], on: Console) -> Table:
    wide = on.width >= 90
    several = len({c["workspace"] for c in campaigns}) > 1
    table = _table(on)
    for name in [*(["workspace"] if several else []), "campaign", "status"]:
        table.add_column(name, overflow=_overflow(on), max_width=24)
    table.add_column("done")
    counts = ("sent", "pending", "in_flight", "failed", "skipped", "uncertain") if wide else ("pending", "failed")
    for name in counts:
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for c in campaigns:
        over = c["sent"] + c["failed"] + c["skipped"]
        table.add_row(
            *([printable(c["workspace"])] if several else []),
            printable(c["campaign"]),
            Text(c["status"], {"active": "green", "paused": "yellow"}.get(c["status"], "dim")),
            Text.assemble(*_bar(over, c["total"], "green", wide, on), f" {over:,}/{c['total']:,}"),
            *(Text(f"{c[name]:,}", COLOURS[name] if c[name] else "dim") for name in counts),
        )
    return table


def _lanes(
    lanes: list[Json], most: int, of_one_line: bool, at: datetime, zone: tzinfo, on: Console
) -> list[RenderableType]:
    several = len({lane["workspace"] for lane in lanes}) > 1
    shown = lanes if len(lanes) <= most else sorted(lanes, key=_lane_priority)[: max(most - 1, 1)]
    wide = on.width >= 100
    table = _table(on)
    for name in [*(["workspace"] if several else []), "account", "channel"]:
        table.add_column(name, overflow=_overflow(on), max_width=24 if wide else 16,
                         no_wrap=wide or of_one_line)  # fmt: skip
    table.add_column("today", no_wrap=True)
    if wide:
        table.add_column("7 days", justify="right", no_wrap=True)
        table.add_column("in flight", justify="right", no_wrap=True)
        table.add_column("next", no_wrap=True)
    last = "why not now" if wide else "next"
    table.add_column(last, overflow=_overflow(on) if of_one_line else "fold", no_wrap=of_one_line, ratio=1)
    for lane in shown:
        table.add_row(
            *([printable(lane["workspace"])] if several else []),
            printable(lane["account"]),
            lane["channel"],
            _today(lane, wide, on),
            *([used_of_cap(lane["used_week"], lane["weekly_cap"]), f"{lane['in_flight'] or ''}"] if wide else []),
            *(
                _next(lane, at, zone)
                if wide
                else [Text(", " if of_one_line else "\n").join(filter(None, _next(lane, at, zone)))]
            ),
        )
    if len(shown) == len(lanes):
        return [table]
    hidden = f"{len(lanes) - len(shown):,} more lanes, quieter ones: see all with `send-queue status | less`."
    return [Text(hidden, "dim"), table]


def _next(lane: Json, at: datetime, zone: tzinfo) -> tuple[Text, Text]:
    """Write the lane's next moment and the reason to wait."""
    why = lane["why"] or ""
    when = _when(lane["next_at"], at, zone) if lane["next_at"] else "" if why else "now"
    return Text(when, "" if why else "dim"), Text(printable(why), _colour_of(why))


def _lane_priority(lane: Json) -> tuple[bool, bool, int, int]:
    """Sort lanes: first those that need a person, then held ones, then those that send. A lane whose campaigns are done
    needs nobody."""
    why = "" if (lane["why"] or "").startswith("done: ") else lane["why"]
    return not why or bool(lane["next_at"]), not why, -lane["in_flight"], -lane["used_today"]


def _colour_of(why: str) -> str:
    match why.partition(":")[0]:
        case "paused":
            return "yellow"
        case "disconnected" | "provider_hold":
            return "red"
    return "dim"


def _today(lane: Json, wide: bool, on: Console) -> Text:
    used, cap = lane["used_today"], lane["cap"]
    if cap is None:
        return Text(f"{' ' * (BAR if wide else NARROW_BAR)} {used:,}")
    return Text.assemble(*_bar(used, cap, "green" if used >= cap else "cyan", wide, on), f" {used_of_cap(used, cap)}")


def _bar(n: int, of_all: int, colour: str, wide: bool, on: Console) -> tuple[tuple[str, str], tuple[str, str]]:
    """Draw a bar in one line, full if `n` is all; any `n` above 0 shows."""
    cells = BAR if wide else NARROW_BAR
    eighths = min(cells * 8, max(round(n / of_all * cells * 8), n > 0)) if of_all else 0
    if on.options.ascii_only:
        full = "#" * -(-eighths // 8)
        return (full, colour), ("." * (cells - len(full)), "dim")
    full = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return (full, colour), ("░" * (cells - len(full)), "dim")


def _table(on: Console) -> Table:
    return Table(box=None if on.options.ascii_only else box.SIMPLE_HEAD, header_style="dim", padding=(0, 1),
                 collapse_padding=True, pad_edge=False, show_edge=False)  # fmt: skip


def _overflow(on: Console) -> Any:
    return "crop" if on.options.ascii_only else "ellipsis"
