"""Charts as inline SVG. Pure.

x is in percent and y in pixels: a chart fills the width, and its letters keep their size. Colours are classes of
style.css. Each chart has a title and a description for screen readers, and the page has its data as a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, count

from markupsafe import Markup

from send_queue.insight.report.week import Day

HIGH = 190
"""Pixels from the ground of a column chart to its highest line."""

ABOVE, BELOW = 18, 34
"""Pixels above the columns for numbers, and below them for days."""

ROW = 26
"""Pixels of a day's row in a calendar."""

LINE = 26
"""Pixels of a lane's strip."""

MAX_POWER = 19
"""No count is as large as ten to this power: a bigint ends before it."""

_ids = count(1)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its label, its parts from the ground up, and its cap."""

    label: str
    below: str
    parts: Sequence[float]
    cap: float | None = None
    shaded: bool = False
    title: str = ""


def columns(title: str, told: str, bars: Sequence[Column], classes: Sequence[str]) -> Markup:
    """Draw stacked columns with a scale; `classes` colour their parts, `told` is the description."""
    top, step = _scale(max([1, *(sum(bar.parts) for bar in bars), *(bar.cap or 0 for bar in bars)]))
    high = ABOVE + HIGH + BELOW
    ticks = [round(step * n) for n in range(round(top / step) + 1)]
    scale = _joined(
        Markup('<text class="tick" x="100%" y="{}" text-anchor="end">{}</text>').format(_y(t, top) + 4, short(t))
        for t in ticks
    )
    lines = _joined(
        Markup('<line class="{}" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format("ground" if t == 0 else "grid",
                                                                               y=_y(t, top))
        for t in ticks
    )  # fmt: skip
    slot = 100 / max(len(bars), 1)
    drawn = _joined(_column(bar, i * slot, slot, top, classes) for i, bar in enumerate(bars))
    return Markup(
        '<div class="chart"><svg class="scale" width="38" height="{high}" aria-hidden="true">{scale}</svg>'
        '<svg class="plot" height="{high}" role="img" aria-labelledby="{id}t {id}d">{named}{lines}{drawn}</svg></div>'
    ).format(high=high, scale=scale, lines=lines, drawn=drawn, **_named(title, told))


def _column(bar: Column, x: float, slot: float, top: float, classes: Sequence[str]) -> Markup:
    total = sum(bar.parts)
    pieces = []
    if bar.shaded:
        pieces.append(_rect("off", x, ABOVE, slot, HIGH))
    for part, above, name in zip(bar.parts, accumulate(bar.parts), classes, strict=True):
        if part:
            y = _y(above, top)
            pieces.append(_rect(name, x + slot * 0.16, y, slot * 0.68, _y(above - part, top) - y))
    if bar.cap is not None:
        y = _y(bar.cap, top)
        pieces.append(
            Markup('<line class="cap" x1="{:.2f}%" x2="{:.2f}%" y1="{y}" y2="{y}"/>').format(x, x + slot, y=y)
        )
    middle = x + slot / 2
    if total:
        pieces.append(_text("figure", middle, _y(total, top) - 5, short(total)))
    pieces += [
        _text("label", middle, ABOVE + HIGH + 15, bar.label),
        _text("below", middle, ABOVE + HIGH + 28, bar.below),
    ]
    return Markup("<g><title>{}</title>{}</g>").format(bar.title, _joined(pieces))


def strip(title: str, told: str, used: Sequence[int], cap: int | None) -> Markup:
    """Draw the used share of a lane's cap on each day, up to today."""
    top = max([1, *used, cap or 0])
    slot = 100 / max(len(used), 1)
    bars = _joined(
        _rect("full" if cap is not None and n >= cap else "used", i * slot + slot * 0.12,
              LINE - (h := max(n / top * (LINE - 2), 1.5 if n else 0)), slot * 0.76, h)
        for i, n in enumerate(used)
    )  # fmt: skip
    y = round(LINE - cap / top * (LINE - 2), 1) if cap else None
    line = Markup('<line class="cap" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(y=y) if cap else ""
    return Markup(
        '<svg class="strip" height="{high}" role="img" aria-labelledby="{id}t {id}d">{named}'
        '<line class="ground" x1="0" x2="100%" y1="{high}" y2="{high}"/>{bars}{line}</svg>'
    ).format(high=LINE, bars=bars, line=line, **_named(title, told))


def split(title: str, parts: Sequence[tuple[str, str, int]]) -> Markup:
    """Draw a line cut into shares (class, name, n)."""
    total = sum(n for _, _, n in parts)
    told = ", ".join(f"{n:,} {name}" for _, name, n in parts if n) or "nothing"
    x, drawn = 0.0, []
    for css, name, n in parts:
        if n:
            wide = n / total * 100
            drawn.append(Markup("<g><title>{}: {}</title>{}</g>").format(name, f"{n:,}", _rect(css, x, 0, wide, 12)))
            x += wide
    return Markup(
        '<svg class="split" height="12" role="img" aria-labelledby="{id}t {id}d">{named}'
        '<rect class="off" width="100%" height="12"/>{drawn}</svg>'
    ).format(drawn=_joined(drawn), **_named(title, told))


def calendar(title: str, days: Sequence[Day], now: float | None) -> Markup:
    """Draw a week as rows of 24 hours, closed ones shaded; `now` is an hour of the first day, 0 to 24."""
    high = ROW * len(days)
    names = _joined(
        Markup('<text class="label" x="0" y="{}">{}</text>').format(i * ROW + 17, f"{day.date:%a %d}")
        for i, day in enumerate(days)
    )
    rows = _joined(_open_hours(day, i * ROW) for i, day in enumerate(days))
    notes = _joined(_text("note", 50, i * ROW + 17, _why(day)) for i, day in enumerate(days) if day.closed)
    hours = _joined(
        Markup('<line class="hour" x1="{x}%" x2="{x}%" y1="0" y2="{high}"/>').format(x=h / 24 * 100, high=high)
        for h in (6, 12, 18)
    )
    marks = _joined(
        Markup('<text class="tick" x="{}%" y="{}" text-anchor="{}">{:02}:00</text>').format(
            h / 24 * 100, high + 15, {0: "start", 24: "end"}.get(h, "middle"), h)
        for h in (0, 6, 12, 18, 24)
    )  # fmt: skip
    line = "" if now is None else Markup('<line class="now" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{y}"/>').format(
        x=now / 24 * 100, y=ROW)  # fmt: skip
    return Markup(
        '<div class="chart"><svg class="scale days" width="58" height="{all}" aria-hidden="true">{names}</svg>'
        '<svg class="plot" height="{all}" role="img" aria-labelledby="{id}t {id}d">'
        "{named}{rows}{hours}{line}{notes}{marks}</svg>"
        "</div>"
    ).format(all=high + 20, names=names, rows=rows, hours=hours, line=line, notes=notes, marks=marks,
             **_named(title, "; ".join(map(hours_of, days))))  # fmt: skip


def _open_hours(day: Day, y: float) -> Markup:
    css = "holiday" if day.closed == "holiday" else "closed"
    drawn = [_rect(css, 0, y + 1, 100, ROW - 2)]
    for since, until in day.open:
        drawn.append(_rect("open", since / 14.4, y + 1, (until - since) / 14.4, ROW - 2))
    return Markup("<g><title>{}</title>{}</g>").format(hours_of(day), _joined(drawn))


def hours_of(day: Day) -> str:
    """Describe a day: Thu 26 Nov open 07:00-18:00."""
    if day.open:
        hours = ", ".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in day.open)
        return f"{day.date:%a %d %b} open {hours}"
    return f"{day.date:%a %d %b} {_why(day)}"


def _why(day: Day) -> str:
    match day.closed:
        case "holiday":
            return day.detail if day.detail.startswith("closed") else f"holiday: {day.detail}"
        case "weekend":
            return "no business day"
    return "closed"


def short(n: float) -> str:
    """Write a number in at most four characters.

    >>> short(7), short(999), short(1234), short(12345), short(1234567)
    ('7', '999', '1.2k', '12k', '1.2M')
    """
    if n < 1000:
        return f"{n:.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if n < size * 9.95:
            return f"{n / size:.1f}".removesuffix(".0") + unit
        if n < size * 999.5:
            return f"{n / size:.0f}{unit}"
    return f"{n:.0e}"


def _scale(most: float) -> tuple[float, float]:
    """Return the end of a scale that holds `most`, and the step of its lines: 1, 2 or 5 times a power of ten.

    >>> _scale(7), _scale(41)
    ((8.0, 2.0), (60.0, 20.0))
    """
    steps = (size * 10.0**power for power in range(MAX_POWER) for size in (1, 2, 5))
    step = next((step for step in steps if most <= 4 * step), 10.0**MAX_POWER)
    return step * -(-most // step), step


def _y(n: float, top: float) -> float:
    return round(ABOVE + HIGH - n / top * HIGH, 1)


def _rect(css: str, x: float, y: float, wide: float, high: float) -> Markup:
    return Markup('<rect class="{}" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"/>').format(
        css, x, y, wide, high
    )


def _text(css: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{:.2f}%" y="{:.1f}" text-anchor="middle">{}</text>').format(css, x, y, text)


def _named(title: str, told: str) -> dict[str, object]:
    chart = f"c{next(_ids)}"
    named = Markup('<title id="{id}t">{}</title><desc id="{id}d">{}</desc>').format(title, told, id=chart)
    return {"id": chart, "named": named}


def _joined(pieces: Iterable[Markup]) -> Markup:
    return Markup("").join(pieces)
