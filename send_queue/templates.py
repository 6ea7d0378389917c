"""Texts with fields: Jinja2 in its sandbox, strict about what is missing, and bounded.

A template is compiled once and filled in for each message, when it is enqueued: what will be sent can be read in the
table. A field that is there and empty may be asked for (`{% if company %}`, `{{ first_name or "there" }}`) and not be
written out; one that nobody has heard of may be neither, for it is a slip.

What people have in their files is filled in and never read as a template.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from jinja2 import Template as Compiled
from jinja2 import TemplateSyntaxError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.runtime import Context, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, missing

from send_queue.model import UserError

LARGEST = 1_000_000
"""Characters that a text may have: no provider takes more, and a slip must not fill the memory."""

STEPS = 10_000
"""How many calls, and items of ranges, one text may take: a slip must end."""


class Lacking(ValueError):
    """A field is to be written out that is empty."""

    def __init__(self, field: str, where: str) -> None:
        super().__init__(f"the template needs {{{{ {field} }}}} ({where}), which is empty")


class Template:
    """A template that is ready to be filled in.

    `name` is what it is called in sentences, such as its file's name. `html` True: what is filled in is escaped.
    Raises `UserError`, with the line, where it cannot be read.
    """

    def __init__(self, text: str, name: str, *, html: bool = False) -> None:
        env = _Sandbox(autoescape=html, undefined=_Unknown, trim_blocks=True, lstrip_blocks=True)
        env.globals = {"range": _range, "namespace": Namespace, "joiner": Joiner, "cycler": Cycler, "dict": dict}
        try:
            tree = env.parse(text, name, name)
            for foreign in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
                raise TemplateSyntaxError("a template stands alone and takes in no other", foreign.lineno)
            self._compiled = Compiled.from_code(env, env.compile(tree, name, name), env.globals)
        except TemplateSyntaxError as error:
            raise UserError(
                f"{name}, line {error.lineno}: {str(error.message).rstrip('.')}: mend the template."
            ) from None
        except RecursionError:
            raise UserError(f"{name} is nested too deeply: write a simpler template.") from None
        self.name = name
        self.html = html
        self.fields = frozenset(meta.find_undeclared_variables(tree) - env.globals.keys())

    def render(self, fields: Mapping[str, Any]) -> str:
        """Fill in the fields; those that are empty texts or None count as empty, also within `attributes`.

        >>> Template("Hi {{ first_name or 'there' }}!", "a.txt").render({"first_name": ""})
        'Hi there!'

        Empty lines at the ends of the text are left out. Raises, with the line of the template: `Lacking` for an empty
        field, `UserError` for one that is not among `fields`, `ValueError` for whatever else these fields make of it.
        """
        given = {name: _given(name, fields[name]) for name in self.fields if name in fields}
        context = self._compiled.new_context({**self._compiled.globals, **given, _LEFT: [STEPS]}, shared=True)
        parts, size = [], 0
        try:
            for part in self._compiled.root_render_func(context):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise _Endless(f"the text is longer than {LARGEST:,} characters")
        except UndefinedError as error:
            field, where = str(error.message), self._where(error.__traceback__)
            if isinstance(error, _Empty.Asked):
                raise Lacking(field, where) from None
            there = ", ".join(sorted(name for name in fields if name)) or "none"
            raise UserError(
                f"The template needs {{{{ {field} }}}} ({where}), and there is no such field, only {there}."
            ) from None
        except RecursionError:
            raise ValueError(f"the template does not end ({self._where(None)})") from None
        except Exception as error:  # whatever a filter or an operator says to values that it does not take
            said = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"the template cannot be filled in ({self._where(error.__traceback__)}): {said}") from None
        return "".join(parts).strip("\n")

    def _where(self, trace: TracebackType | None) -> str:
        """The last line of the template that was being worked on."""
        line = None
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._compiled:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return f"{self.name}, line {line}" if line else self.name


# --- what is missing --------------------------------------------------------------------------------------


class _Unknown(StrictUndefined):
    """A field that nobody has heard of; its error's message is its name. Of what a text or a number has not, it is an
    error of another kind."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:  # fmt: skip
        is_field = obj is missing or isinstance(obj, Mapping)
        super().__init__(hint, obj, name, exc if is_field else TemplateRuntimeError)

    @property
    def _undefined_message(self) -> str:
        if self._undefined_exception is TemplateRuntimeError:
            return super()._undefined_message
        return f"{'' if self._undefined_obj is missing else 'attributes.'}{self._undefined_name}"


class _Empty(Undefined):
    """A field that is there and empty: it is false and like an empty text, and cannot be written out."""

    __slots__ = ()

    class Asked(UndefinedError):
        """It was to be written out."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, exc=self.Asked)

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)

    def __str__(self) -> str:
        return self._fail_with_undefined_error()

    def __eq__(self, other: object) -> bool:
        return other == "" or isinstance(other, _Empty)

    def __hash__(self) -> int:
        return hash("")


def _given(name: str, value: Any) -> Any:
    if name == "attributes" and isinstance(value, Mapping):
        return {inner: _given(f"attributes.{inner}", value[inner]) for inner in value}
    return _Empty(name) if value is None or value == "" else value


# --- what is bounded --------------------------------------------------------------------------------------

_LEFT = "\0left"
"""Where a text's steps are counted in its context: a name that no template can write."""


class _Endless(ValueError):
    """It would not end, or not fit."""


def _step(context: Context) -> None:
    left = context.parent[_LEFT]
    left[0] -= 1
    if left[0] < 0:
        raise _Endless(f"it takes more than {STEPS:,} steps")


@pass_context
def _range(context: Context, *bounds: int) -> Iterator[int]:
    for n in range(*bounds):
        _step(context)
        yield n


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which calls are counted, and nothing is multiplied beyond what a text may have."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _step(__context)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(side) if hasattr(side, "__len__") else abs(side) for side in (left, right)]
        too_large = {
            "*": any(hasattr(side, "__len__") for side in (left, right)) and sizes[0] * sizes[1] > LARGEST,
            "**": max(sizes) > 100,
            "%": isinstance(left, str),  # it pads to any width
        }
        if too_large[operator]:
            raise SecurityError(f"{operator} would be too large here")
        return super().call_binop(context, operator, left, right)
