"""Templates: filled in strictly, told apart from data, and always at an end."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue import templates
from send_queue.model import UserError
from send_queue.templates import Lacking, Template

ADA: dict[str, Any] = {
    "first_name": "Ada", "company": "Analytical <Engines>", "title": "", "last_name": None,
    "attributes": {"city": "London", "pets": ["cat", "dog"], "left": ""},
}  # fmt: skip


def filled(text: str, *, html: bool = False, **more: Any) -> str:
    return Template(text, "invite.txt", html=html).render(ADA | more)


def test_examples_in_docstrings_hold() -> None:
    """The example of render is its specification."""
    failed, tried = doctest.testmod(templates)
    assert (failed, tried > 0) == (0, True)


# --- filling in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "message"), [
    ("Hi {{ first_name }}", "Hi Ada"),
    ("{{ first_name | upper }} of {{ attributes.city }}", "ADA of London"),
    ("{% for pet in attributes.pets %}\n{{ loop.index }}. {{ pet }}\n{% endfor %}\nBye\n", "1. cat\n2. dog\nBye"),
    ("{% if title %}{{ title }} {% endif %}{{ first_name }}", "Ada"),
    ("{{ last_name or 'X' }}{{ title | default('Y', true) }}{{ title | default('Z') }}", "XYZ"),
    ("{{ nickname | default(first_name) }}", "Ada"),
    ("{% if title == '' %}none{% endif %}", "none"),
    ("{{ company }}", "Analytical <Engines>"),
    ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
    ("a\r\nb", "a\nb"),
    ("{first_name}", "{first_name}"),
])  # fmt: skip
def test_a_template_is_filled_in(text: str, message: str) -> None:
    """Fields, filters and loops as Jinja has them; a line that holds just a tag leaves no line."""
    assert filled(text) == message


def test_html_is_escaped_and_text_is_not() -> None:
    """What somebody is called is not markup; what the template itself has is."""
    assert filled("<b>{{ company }}</b>", html=True) == "<b>Analytical &lt;Engines&gt;</b>"
    assert filled("<b>{{ company }}</b>") == "<b>Analytical <Engines></b>"


@given(st.text(min_size=1))
def test_what_is_filled_in_is_not_read_as_a_template(name: str) -> None:
    """Whatever somebody is called."""
    assert filled("<{{ first_name }}>", first_name=name) == f"<{name}>"


# --- what is missing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "field", "line"), [
    ("Hi {{ title }}", "title", 1),
    ("Hi\n{{ last_name | upper }}", "last_name", 2),
    ("Hi\n\n{% if true %}\n{{ attributes.left ~ '!' }}\n{% endif %}", "attributes.left", 4),
    ("{% macro greet() %}\n{{ title }}\n{% endmacro %}\n{{ greet() }}", "title", 2),
])  # fmt: skip
def test_what_is_empty_is_named_with_its_line(text: str, field: str, line: int) -> None:
    """Nobody wants to be greeted with "Hi ,": this message is wrong, and others may be right."""
    with pytest.raises(Lacking) as lacking:
        filled(text)
    assert str(lacking.value) == f"the template needs {{{{ {field} }}}} (invite.txt, line {line}), which is empty"


@pytest.mark.parametrize(("text", "field", "line"), [
    ("{{ nickname }}", "nickname", 1),
    ("\n{% if nickname %}x{% endif %}", "nickname", 2),
    ("{{ attributes.colour }}", "attributes.colour", 1),
    ("{{ lipsum(n=1000) }}", "lipsum", 1),
])  # fmt: skip
def test_a_field_that_nobody_has_heard_of_is_a_slip(text: str, field: str, line: int) -> None:
    """Of the template, so of all messages; it is not even asked for. The sentence says which fields there are."""
    with pytest.raises(UserError) as refused:
        filled(text)
    assert str(refused.value) == (
        f"The template needs {{{{ {field} }}}} (invite.txt, line {line}), and there is no such field, only attributes, "
        "company, first_name, last_name, title."
    )


@pytest.mark.parametrize(("text", "said"), [
    ("Hi {{ first_name", "invite.txt, line 1: "),
    ("\n{% if x %}", "invite.txt, line 2: "),
    ("{{ x | nosuch }}", "No filter named 'nosuch'"),
    ("\n\n{% include 'other.txt' %}", "invite.txt, line 3: a template stands alone"),
    ("{% extends 'base' %}", "stands alone"), ("{% import 'x' as y %}", "stands alone"),
    ("{% from 'x' import y %}", "stands alone"),
    ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    """Before anything is enqueued."""
    with pytest.raises(UserError, match="template") as refused:
        Template(text, "invite.txt")
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "said"), [
    ("{{ 1 / 0 }}", "division by zero"),
    ("\n{{ first_name + 1 }}", "(invite.txt, line 2)"),
    ("{{ first_name.nosuch }}", "'str object' has no attribute 'nosuch'"),
    ("{{ ''.__class__ }}", "unsafe"),
    ("{{ first_name.__class__.__mro__ }}", "unsafe"),
    ("{{ attributes.pets.append('x') }}", "unsafe"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_line(text: str, said: str) -> None:
    """Nor may a template see the insides of a program, or change what it is given."""
    with pytest.raises(ValueError, match="the template") as refused:
        filled(text)
    assert said in str(refused.value)


# --- what ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "{% for a in range(10**9) %}{% endfor %}",
    "{% for a in range(10 ** 9) %}x{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
    "{{ 'x' * 10000000 }}", "{{ 10000000 * ['x'] }}", "{{ 9 ** 9 ** 9 }}", "{{ '%10000000d' % 1 }}",
    "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
    "{% macro twice(n) %}{% if n %}{{ twice(n - 1) }}{{ twice(n - 1) }}{% endif %}{% endmacro %}{{ twice(40) }}",
])  # fmt: skip
def test_a_slip_ends(text: str) -> None:
    """No template runs for ever or fills the memory."""
    with pytest.raises(ValueError, match="template"):
        filled(text)


def test_a_text_is_bounded() -> None:
    """A text that is longer than anybody takes is not made."""
    long = "x" * 10_000
    with pytest.raises(ValueError, match="longer than 1,000,000 characters"):
        filled("{% for n in range(200) %}{{ first_name }}{% endfor %}", first_name=long)
    assert len(filled("{% for n in range(50) %}{{ first_name }}{% endfor %}", first_name=long)) == 500_000


def test_one_template_is_filled_in_many_times() -> None:
    """Each message has its own steps, and nothing of the last one's."""
    template = Template("{% for n in range(9000) %}{% endfor %}{{ first_name }}", "t")
    assert [template.render({"first_name": name}) for name in ("a", "b", "c")] == ["a", "b", "c"]
    with pytest.raises(UserError, match="there is no such field, only none"):
        template.render({})
