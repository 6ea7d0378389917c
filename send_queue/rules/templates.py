"""Templates: a small part of Jinja's language, strict about missing fields and bounded in time and memory.

Jinja parses a template; this file fills it in. It knows the nodes, filters, methods and tests of template_language.py
and refuses a template with any other before anything is enqueued. Every step and character draws on one allowance, so
any template ends within a second and a few MB.

A template may test an empty field (`{% if company %}`, `{{ first_name or "there" }}`) but not write it; it may do
neither with an unknown field, which is a mistake. Values are never parsed as templates.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import islice
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from markupsafe import escape

from send_queue.model import UserError
from send_queue.rules.placeholders import meant
from send_queue.rules.template_language import FILTERS, MAX_CHARS, METHODS, check, named, too_deep

MAX_TEMPLATE_CHARS = 100_000
"""Mail programs cut off longer mails."""

MAX_TOKENS = 5_000
"""The most texts, names, signs and blanks of a template: parsing each takes memory."""

MAX_WORK = 5_000_000
"""The most characters that one filled text may read and write; a step counts as `STEP_WORK` of them."""

STEP_WORK = 200
"""The characters that one step counts for: 25,000 steps take a fraction of a second."""

FUNCTION_WORK = 10
"""The factor for characters that go into a function: some split a text."""

SPACED_FIELD = re.compile(
    r"\{%-?\s*raw\b.*?(?:endraw\s*-?%\}|\Z)|\{#.*?(?:#\}|\Z)"
    r"|\{\{-?[ \t]*(?P<field>[^\W\d]\w*(?:[ \t]+(?!(?:if|is|in|or|and|not|else)\b)\w+){1,4})[ \t]*-?\}\}", re.DOTALL
)  # fmt: skip
"""A field with blanks in its name, {{ First Name }}; skips raw parts and comments."""

JINJA = Environment(trim_blocks=True, lstrip_blocks=True)
"""Parses templates; never runs one."""


class Lacking(ValueError):
    """A template writes an empty field."""

    def __init__(self, field: str, where: str) -> None:
        super().__init__(f"the template needs {{{{ {field} }}}} ({where}), which is empty")


class Template:
    """A parsed template.

    `name` is for messages, such as its file's name. `html` True: escape values. Raises `UserError` with the line for
    unreadable or unknown syntax.
    """

    def __init__(self, text: str, name: str, *, html: bool = False) -> None:
        if len(text) > MAX_TEMPLATE_CHARS:
            raise UserError(f"{name} is longer than {MAX_TEMPLATE_CHARS:,} characters: shorten the template.")
        try:
            text = SPACED_FIELD.sub(_joined, text)
            if next(islice(JINJA.lex(text, name, name), MAX_TOKENS, None), None) is not None:
                raise UserError(f"{name} has more than {MAX_TOKENS:,} words and signs: write a simpler template.")
            self._body = JINJA.parse(text, name, name).body
            check(self._body, name)
        except TemplateSyntaxError as error:
            raise UserError(
                f"{name}, line {error.lineno}: {str(error.message).rstrip('.')}: mend the template."
            ) from None
        except RecursionError:
            raise too_deep(name) from None
        except ValueError:  # Python refuses numbers of more than 4,300 digits
            raise UserError(f"{name} has a number that is too long: mend the template.") from None
        self.name = name
        self.html = html
        self.words = "\0".join(data.data for node in self._body for data in node.find_all(nodes.TemplateData))
        """The text outside fields and statements."""

    def render(self, fields: Mapping[str, Any]) -> str:
        """Fill in the fields; empty texts and None count as empty, also within `attributes`.

        >>> Template("Hi {{ first_name or 'there' }}!", "a.txt").render({"first_name": ""})
        'Hi there!'

        Drops empty lines at both ends. Raises, with the line of the template: `Lacking` for an empty field, `UserError`
        for one that is not among `fields`, `ValueError` for other errors of these fields.
        """
        filling = _Filling(self.name, self.html, fields)
        try:
            filling.block(self._body, {})
        except (Lacking, UserError):
            raise
        except Exception as error:  # from filters and comparisons of unsuitable values
            said = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"the template cannot be filled in ({filling.where()}): {said}") from None
        return "".join(filling.parts).strip("\n")


# --- filling in -------------------------------------------------------------------------------------------

COMPARISONS = {
    "eq": operator.eq, "ne": operator.ne,
    "lt": operator.lt, "lteq": operator.le, "gt": operator.gt, "gteq": operator.ge,
}  # fmt: skip
Scope = Mapping[str, Any]
"""The variables of loops."""


@dataclass(frozen=True, slots=True)
class _Empty:
    """A known, empty field: false, equal to an empty text, not writable."""

    field: str


@dataclass(frozen=True, slots=True)
class _Unknown:
    """An unknown field: only `default` accepts it."""

    field: str


class _Filling:
    """A text in progress: its output so far, the remaining allowance, the present line."""

    def __init__(self, name: str, html: bool, fields: Mapping[str, Any]) -> None:
        self._name, self._html, self._fields = name, html, fields
        self._left = MAX_WORK
        self._line = 0
        self._size = 0
        self.parts: list[str] = []

    def where(self) -> str:
        return f"{self._name}, line {self._line}"

    def block(self, body: Sequence[nodes.Node], scope: Scope) -> None:
        """Write statements in order."""
        for node in body:
            self._step(node)
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        self._write(part.data if isinstance(part, nodes.TemplateData) else self._written(part, scope))
                case nodes.If():
                    branches = [(one.test, one.body) for one in (node, *node.elif_)]
                    self.block(next((b for test, b in branches if self._true(test, scope)), node.else_), scope)
                case nodes.For(target=nodes.Name(name=name)):
                    self._loop(node, name, scope)

    def _loop(self, node: Any, name: str, scope: Scope) -> None:
        items = self._known(node.iter, scope)
        if isinstance(items, _Empty):
            items = ()
        if not isinstance(items, list | tuple):
            raise ValueError('a loop needs a list: split a text with .split(";")')
        if node.test is not None:
            items = [item for item in items if self._true(node.test, {**scope, name: item})]
        for index, item in enumerate(items):
            self._step(node)
            left = len(items) - index
            loop = {"index": index + 1, "index0": index, "first": index == 0, "last": left == 1,
                    "length": len(items), "revindex": left, "revindex0": left - 1}  # fmt: skip
            self.block(node.body, {**scope, name: item, "loop": loop})
        if not items:
            self.block(node.else_, scope)

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_CHARS:
            raise ValueError(f"the text is longer than {MAX_CHARS:,} characters")
        self.parts.append(text)

    def _written(self, node: Any, scope: Scope) -> str:
        text = self._text(node, scope)
        return self._made(escape(text)) if self._html else text

    def _value(self, node: Any, scope: Scope) -> Any:
        """Evaluate an expression; the value may be `_Empty` or `_Unknown`."""
        self._step(node)
        match node:
            case nodes.Const():
                return node.value
            case nodes.Name():
                if node.name in scope:
                    return scope[node.name]
                return self._found(self._fields, node.name, node.name)
            case nodes.Getattr() | nodes.Getitem():
                return self._part(node, scope)
            case nodes.List() | nodes.Tuple():
                return [self._plain(item, scope) for item in node.items]
            case nodes.Neg(node=nodes.Const(value=value)):
                return -value
            case nodes.Concat():
                return self._made(FILTERS["join"]([self._text(part, scope) for part in node.nodes]))
            case nodes.And() | nodes.Or():
                left = self._known(node.left, scope)
                ends = _is_true(left) == isinstance(node, nodes.Or)
                return left if ends else self._value(node.right, scope)
            case nodes.Not():
                return not self._true(node.node, scope)
            case nodes.CondExpr():
                if self._true(node.test, scope):
                    return self._value(node.expr1, scope)
                return "" if node.expr2 is None else self._value(node.expr2, scope)
            case nodes.Compare():
                return self._compared(node, scope)
            case nodes.Test():
                found = not isinstance(self._value(node.node, scope), _Empty | _Unknown)
                return found == (node.name == "defined")
            case nodes.Filter(name="default" | "d"):
                return self._default(node, scope)
            case nodes.Filter():
                return self._called(FILTERS[node.name], node, node.node, scope)
            case nodes.Call(node=nodes.Getattr(node=of, attr=name)):
                return self._called(METHODS[name], node, of, scope)
        raise TypeError(f"{type(node).__name__} is not understood")

    def _default(self, node: Any, scope: Scope) -> Any:
        value = self._value(node.node, scope)
        given = signature(FILTERS["default"]).bind(None, *node.args, **named(node)).arguments
        absent = isinstance(value, _Empty | _Unknown)
        if not absent and not value and "boolean" in given:
            absent = self._true(given["boolean"], scope)
        if not absent:
            return value
        return self._value(given["default_value"], scope) if "default_value" in given else ""

    def _called(self, function: Any, node: Any, of: Any, scope: Scope) -> Any:
        value = self._known(of, scope)
        if function is FILTERS["length"] and isinstance(value, _Empty):
            return 0
        args = [self._plain(arg, scope) for arg in node.args]
        more = {key: self._plain(arg, scope) for key, arg in named(node).items()}
        value = str(value) if isinstance(value, int | float) else self._filled(value)
        for given in (value, *args, *more.values()):
            self._made(given, FUNCTION_WORK)
        return self._made(function(value, *args, **more))

    def _compared(self, node: nodes.Compare, scope: Scope) -> bool:
        left = self._comparable(node.expr, scope)
        for operand in node.ops:
            right = self._comparable(operand.expr, scope)
            if operand.op in ("in", "notin"):
                if not isinstance(right, list | tuple | str) or isinstance(left, list | tuple):
                    raise ValueError("`in` needs a list or a text on its right, and no list on its left")
                self._spend(len(right) * len(str(left)) if not isinstance(right, str) else len(right))
                holds = (left in right) == (operand.op == "in")
            elif isinstance(left, list | tuple) or isinstance(right, list | tuple):
                raise ValueError("lists cannot be compared: test with `in` whether one holds a text")
            else:
                holds = bool(COMPARISONS[operand.op](left, right))
            if not holds:
                return False
            left = right
        return True

    def _comparable(self, node: nodes.Expr, scope: Scope) -> Any:
        value = self._known(node, scope)
        if isinstance(value, Mapping):
            raise ValueError(f"{_path(node)} holds fields: name one of them")
        return "" if isinstance(value, _Empty) else self._made(value)

    def _part(self, node: nodes.Getattr | nodes.Getitem, scope: Scope) -> Any:
        """`of.name`, `of["name"]`, `of[0]`, `of[1:3]`."""
        of, path = self._plain(node.node, scope), _path(node)
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
            ends = [end and self._plain(end, scope) for end in (node.arg.start, node.arg.stop)]
            return self._made(self._made(of)[slice(*ends)])
        key = node.attr if isinstance(node, nodes.Getattr) else self._plain(node.arg, scope)
        if isinstance(of, Mapping):
            return self._found(of, key, path)
        if not isinstance(key, int) or not isinstance(of, list | tuple | str):
            raise ValueError(f"{_path(node.node)} has no part {key!r}")
        if not -len(of) <= key < len(of):
            raise ValueError(f"{_path(node.node)} has no [{key}], only {len(of)} of them")
        return of[key]

    def _found(self, fields: Mapping[Any, Any], key: Any, path: str) -> Any:
        if key not in fields:
            self._spend(len(fields))
            alike = meant(key, fields) if isinstance(key, str) else None
            if alike is None:
                return _Unknown(path)
            key = alike
        value = fields[key]
        return _Empty(path) if value is None or value == "" else value

    def _known(self, node: Any, scope: Scope) -> Any:
        value = self._value(node, scope)
        if isinstance(value, _Unknown):
            there = ", ".join(sorted(name for name in self._fields if name)) or "none"
            needs = f"The template needs {{{{ {value.field} }}}} ({self.where()})"
            raise UserError(f"{needs}, and there is no such field, only {there}.")
        return value

    def _filled(self, value: Any) -> Any:
        if isinstance(value, _Empty):
            raise Lacking(value.field, self.where())
        return value

    def _plain(self, node: Any, scope: Scope) -> Any:
        return self._filled(self._known(node, scope))

    def _true(self, node: Any, scope: Scope) -> bool:
        return _is_true(self._known(node, scope))

    def _text(self, node: Any, scope: Scope) -> str:
        value = self._plain(node, scope)
        if not isinstance(value, str | int | float):
            raise ValueError(f"{_path(node)} is not a text: write a list's items, or name one of the fields")
        text: str = self._made(value if isinstance(value, str) else str(value))
        return text

    def _step(self, node: nodes.Node) -> None:
        self._line = node.lineno
        self._spend(STEP_WORK)

    def _made(self, value: Any, work: int = 1) -> Any:
        if isinstance(value, str | list | tuple):
            self._spend(len(value) * work)
        return value

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise ValueError("it is too much work: shorten its loops or its texts")


def _joined(at: re.Match[str]) -> str:
    field = at["field"]
    return at[0].replace(field, "_".join(field.split())) if field else at[0]


def _is_true(value: Any) -> bool:
    return not isinstance(value, _Empty) and bool(value)


def _path(node: Any) -> str:
    """Write an expression as in the template, as far as it has a name."""
    match node:
        case nodes.Name():
            return str(node.name)
        case nodes.Getattr(node=of, attr=name):
            return f"{_path(of)}.{name}"
        case nodes.Getitem(node=of, arg=nodes.Const(value=str(key))):
            return f"{_path(of)}.{key}"
    return "it"
