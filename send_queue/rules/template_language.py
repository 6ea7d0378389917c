"""The syntax and functions of templates.

Refuses all other syntax of Jinja by name. No function returns much more than its arguments: none takes a width or a
count that lengthens a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from jinja2 import nodes
from markupsafe import Markup, escape

from send_queue.model import UserError

MAX_CHARS = 1_000_000
"""No provider takes longer texts, and a mistake must not fill the memory."""

MAX_ITEMS = 1_000
"""The most items of a list from `split`."""

# --- functions: templates use their argument names and defaults -------------------------------------------

WORD = re.compile(r"[^-\s({\[<]+")
LEEWAY_CHARS = 5
"""`truncate` leaves a text whole that is longer by up to this many characters, like Jinja's."""


def replace(text: str, old: str, new: str) -> str:
    """Replace every `old` by `new`. Raises `ValueError` if the result is too long."""
    new = escape(new) if isinstance(text, Markup) else new
    _check_size(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def split(text: str, sep: str | None = None) -> list[str]:
    """Split at separators. Raises `ValueError` for too many parts."""
    parts = text.split(sep, MAX_ITEMS)
    if len(parts) > MAX_ITEMS:
        raise ValueError(f"the text has more than {MAX_ITEMS:,} parts")
    return parts


def join(items: Sequence[Any], d: str = "") -> str:
    """Join the items with `d`; escape them if one is HTML."""
    if not isinstance(items, list | tuple) or any(isinstance(item, Mapping | list | tuple) for item in items):
        raise ValueError("`join` needs a list of texts")
    is_html = any(isinstance(part, Markup) for part in (d, *items))
    texts = [escape(item) if is_html else str(item) for item in items]
    d = escape(d) if is_html else d
    _check_size(sum(map(len, texts)) + len(d) * len(texts))
    return (Markup("") if is_html else "").join(texts) if not d else d.join(texts)


def truncate(text: str, length: int = 255, killwords: bool = False, end: str = "...") -> str:
    """Cut the text to its first words and `end`, within `length` characters."""
    if not isinstance(length, int):
        raise ValueError("`truncate` needs a number of characters")
    if len(text) <= length + LEEWAY_CHARS:
        return text
    kept = text[: max(length - len(end), 0)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + end


def title(text: str) -> str:
    """Capitalise each word; unlike `str.title`, not the t of "don't"."""
    return WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """Return the value, or the default if it is empty or missing; `boolean`: also if it is false."""


def _check_size(size: int) -> None:
    if size > MAX_CHARS:
        raise ValueError(f"the text is longer than {MAX_CHARS:,} characters")


FILTERS: dict[str, Callable[..., Any]] = {
    "default": default,
    "d": default,
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": title,
    "capitalize": lambda text: text.capitalize(),
    "trim": lambda text, chars=None: text.strip(chars),
    "truncate": truncate,
    "replace": replace,
    "first": lambda items: items[0],
    "last": lambda items: items[-1],
    "join": join,
    "length": len,
    "count": len,
    "escape": escape,
    "e": escape,
    "safe": Markup,
}
METHODS: dict[str, Callable[..., Any]] = {
    "split": split,
    "strip": FILTERS["trim"],
    "upper": FILTERS["upper"],
    "lower": FILTERS["lower"],
    "title": title,
    "capitalize": FILTERS["capitalize"],
    "replace": replace,
    "startswith": lambda text, prefix: text.startswith(prefix),
    "endswith": lambda text, suffix: text.endswith(suffix),
}
TESTS: dict[str, Callable[..., Any]] = {"defined": lambda _: True, "undefined": lambda _: False}


# --- syntax -----------------------------------------------------------------------------------------------

MAX_NESTING = 50
"""The deepest nesting of a template's parts."""

ALLOWED = (
    f"use {{{{ field }}}}, ~, and, or, not, comparisons, {{% if %}}, {{% for %}} over a list, the filters "
    f"{', '.join(FILTERS)}, and .{', .'.join(METHODS)}"
)

STATEMENTS: dict[type[nodes.Node], str] = {
    nodes.Assign: "set", nodes.AssignBlock: "set", nodes.Macro: "macro", nodes.CallBlock: "call",
    nodes.FilterBlock: "filter", nodes.With: "with", nodes.Block: "block", nodes.Include: "include",
    nodes.Extends: "extends", nodes.Import: "import", nodes.FromImport: "from",
    nodes.ScopedEvalContextModifier: "autoescape",
}  # fmt: skip
OPERATORS: dict[type[nodes.Node], str] = {
    nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.FloorDiv: "//", nodes.Mod: "%",
    nodes.Pow: "**", nodes.Pos: "+",
}  # fmt: skip
UNDERSTOOD = (
    nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.List, nodes.Tuple,
    nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Neg, nodes.Concat, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
    nodes.Compare, nodes.Operand, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword,
    nodes.Scope,  # it surrounds {% autoescape %}, whose refusal names the line
)  # fmt: skip


def check(parts: Sequence[nodes.Node], name: str, depth: int = 0) -> None:
    """Raise `UserError` with the line of unknown syntax, or for too deep nesting."""
    if depth > MAX_NESTING:
        raise too_deep(name)
    for node in parts:
        if odd := _odd(node):
            raise UserError(f"{name}, line {node.lineno}: a template cannot have {odd}: {ALLOWED}.")
        check(list(node.iter_child_nodes()), name, depth + 1)


def _odd(node: nodes.Node) -> str | None:
    """Name the node's unknown syntax, its children apart; None: it has none."""
    match node:
        case nodes.For():
            if node.recursive:
                return "a loop that is recursive"
            if not isinstance(node.target, nodes.Name):
                return "a loop over several names at once"
        case nodes.Filter():
            return _odd_call(node, FILTERS.get(node.name), f"the filter {node.name}")
        case nodes.Test():
            return _odd_call(node, TESTS.get(node.name), f"the test `is {node.name}`")
        case nodes.Call(node=nodes.Getattr(attr=attr)):
            return _odd_call(node, METHODS.get(attr), f".{attr}()")
        case nodes.Call():
            return f"the function {node.node.name}()" if isinstance(node.node, nodes.Name) else "calls of other kinds"
        case nodes.Neg() if not isinstance(node.node, nodes.Const):
            return "a minus before what is no number"
        case nodes.Slice(step=step) if step is not None:
            return "steps in [from:to]"
    for kind, sign in STATEMENTS.items():
        if isinstance(node, kind):
            return f"{{% {sign} %}}"
    if type(node) in OPERATORS:
        return f"the operator {OPERATORS[type(node)]}"
    return None if isinstance(node, UNDERSTOOD) else f"this ({type(node).__name__})"


def _odd_call(node: nodes.Call | nodes.Filter | nodes.Test, function: Any, what: str) -> str | None:
    if function is None:
        return what
    if node.dyn_args or node.dyn_kwargs:
        return f"a list of arguments for {what}"
    try:
        signature(function).bind(None, *node.args, **named(node))
    except TypeError as error:
        return f"{what} so ({error})"
    return None


def named(node: Any) -> dict[str, Any]:
    """Return the named arguments of a call."""
    return {given.key: given.value for given in node.kwargs}


def too_deep(name: str) -> UserError:
    """Make the error for too deep nesting."""
    return UserError(f"{name} is nested too deeply: write a simpler template.")
