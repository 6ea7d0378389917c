"""Templates: filled in strictly, told apart from data, and always at an end."""

from __future__ import annotations

import doctest
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import share

from send_queue.model import UserError
from send_queue.rules import templates
from send_queue.rules.template_language import FILTERS, METHODS
from send_queue.rules.templates import Lacking, Template

ADA: dict[str, Any] = {
    "first_name": "Ada", "company": "Analytical <Engines>", "title": "", "last_name": None,
    "attributes": {"city": "London", "pets": ["cat", "dog"], "left": "", "age": 36}, "cities": "new york;o'b",
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
    ("{% for p in attributes.pets if p != 'dog' %}{{ p }}{{ loop.last }}{% else %}none{% endfor %}", "catTrue"),
    ("{% for p in title %}x{% else %}none{% endfor %}", "none"),
    ("{% for city in cities.split(';') %}{{ loop.index }} {{ city | title }}, {% endfor %}", "1 New York, 2 O'b, "),
    ("{% if 'dog' in attributes.pets and not title %}a{% elif company %}b{% else %}c{% endif %}", "a"),
    ("{{ 'x' if first_name != 'Ada' else first_name[0] ~ first_name[1:] ~ attributes['city'][-1] }}", "Adan"),
    ("{{ attributes.pets | join(' & ') | replace('cat', 'hen') }} {{ attributes.pets | length }}", "hen & dog 2"),
    ("{{ company | truncate(10) }} {{ company | truncate(12, true, '…') }} {{ ' a '.strip() }}",
     "Analyti... Analytical … a"),
    ("{{ nickname is defined }} {{ title is defined }} {{ company is defined }}", "False False True"),
    ("{{ attributes.age }}{{ attributes.age ~ 1 | upper }}", "36361"),
    ("{{ 'x' if title }}{{ nickname | d }}", ""),
    ("a\r\nb", "a\nb"),
    ("{first_name}", "{first_name}"),
    ("{{ firstName }} {{ First Name }}{{- LAST_NAME or company }} {{ attributes.City }}",
     "Ada AdaAnalytical <Engines> London"),
    ("{% raw %}{{ First Name }}{% endraw %}{# {{ First Name }} #}", "{{ First Name }}"),
    ("{{ 'x' if title }}{{ first_name if company }}", "Ada"),
])  # fmt: skip
def test_a_template_is_filled_in(text: str, message: str) -> None:
    """Fields, filters and loops as Jinja has them; a line that holds just a tag leaves no line."""
    assert filled(text) == message


def test_html_is_escaped_and_text_is_not() -> None:
    """What somebody is called is not markup; what the template itself has is."""
    assert filled("<b>{{ company }}</b>", html=True) == "<b>Analytical &lt;Engines&gt;</b>"
    assert filled("<b>{{ company }}</b>") == "<b>Analytical <Engines></b>"
    assert filled("{{ '<p>' ~ company }}{{ '<br>' | safe ~ company | upper }}", html=True) == (
        "&lt;p&gt;Analytical &lt;Engines&gt;<br>ANALYTICAL &lt;ENGINES&gt;"
    )
    assert filled("{{ ['<i>' | safe, company] | join('<') | replace('i', '<') }}", html=True) == (
        "<&lt;>&lt;Analyt&lt;cal &lt;Eng&lt;nes&gt;"
    )


@given(st.text(min_size=1))
def test_what_is_filled_in_is_not_read_as_a_template(name: str) -> None:
    """Whatever somebody is called."""
    assert filled("<{{ first_name }}>", first_name=name) == f"<{name}>"


# --- what is missing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "field", "line"), [
    ("Hi {{ title }}", "title", 1),
    ("Hi\n{{ last_name | upper }}", "last_name", 2),
    ("Hi\n\n{% if true %}\n{{ attributes.left ~ '!' }}\n{% endif %}", "attributes.left", 4),
    ("{% if title == '' %}\n{{ first_name ~\n title.split(';') }}{% endif %}", "title", 3),
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
    ("{{ first_name ~ (title or attributes.home.town) }}", "attributes.home", 1),
])  # fmt: skip
def test_a_field_that_nobody_has_heard_of_is_a_slip(text: str, field: str, line: int) -> None:
    """Of the template, so of all messages; it is not even asked for. The sentence says which fields there are."""
    with pytest.raises(UserError) as refused:
        filled(text)
    assert str(refused.value) == (
        f"The template needs {{{{ {field} }}}} (invite.txt, line {line}), and there is no such field, only attributes, "
        "cities, company, first_name, last_name, title."
    )


@pytest.mark.parametrize(("text", "said"), [
    ("Hi {{ first_name", "invite.txt, line 1: "),
    ("\n{% if x %}", "invite.txt, line 2: "),
    ("{{ x | nosuch }}", "line 1: a template cannot have the filter nosuch: use {{ field }}, ~, and, or, not, "),
    ("\n\n{% include 'other.txt' %}", "invite.txt, line 3: a template cannot have {% include %}: use"),
    ("{% extends 'base' %}", "{% extends %}"), ("{% import 'x' as y %}", "{% import %}"),
    ("{% from 'x' import y %}", "{% from %}"), ("{% set a = 1 %}", "{% set %}"),
    ("{% set a %}{% endset %}", "{% set %}"),
    ("{% macro a() %}{% endmacro %}", "{% macro %}"), ("{% call a() %}{% endcall %}", "{% call %}"),
    ("{% filter upper %}{% endfilter %}", "{% filter %}"), ("{% with %}{% endwith %}", "{% with %}"),
    ("{% block a %}{% endblock %}", "{% block %}"), ("{% autoescape false %}{% endautoescape %}", "{% autoescape %}"),
    ("{{ 1 / 0 }}", "the operator /"), ("\n{{ first_name + 1 }}", "line 2: a template cannot have the operator +"),
    ("{{ range(9) }}", "the function range()"), ("{{ lipsum(n=1000) }}", "the function lipsum()"),
    ("{{ first_name.format(1) }}", ".format()"), ("{{ attributes.pets.append('x') }}", ".append()"),
    ("{{ x is divisibleby 2 }}", "the test `is divisibleby`"), ("{{ {} }}", "this (Dict)"), ("{{ -x }}", "a minus"),
    ("{{ x[::2] }}", "steps in [from:to]"), ("{% for a, b in x %}{% endfor %}", "a loop over several names at once"),
    ("{% for a in x recursive %}{% endfor %}", "a loop that is recursive"), ("{{ x(1)(2) }}", "calls of other kinds"),
    ("{{ x | default(*y) }}", "a list of arguments for the filter default"),
    ("{{ x | upper(1) }}", "the filter upper so (too many positional arguments)"),
    ("{{ " + "1" * 5000 + " }}", "invite.txt has a number that is too long"),
    ("{{ x }}" * 2000, "invite.txt has more than 5,000 words and signs"),
    ("x" * 100_001, "invite.txt is longer than 100,000 characters"),
    ("{{ x" + " | upper" * 60 + " }}", "nested too deeply"),
    ("{% if x %}" * 60 + "{% endif %}" * 60, "nested too deeply"),
    ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "nested too deeply"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(text: str, said: str) -> None:
    """Before anything is enqueued."""
    with pytest.raises(UserError, match="template") as refused:
        Template(text, "invite.txt")
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "said"), [
    ("\n{{ first_name.nosuch }}", "(invite.txt, line 2): first_name has no part 'nosuch'"),
    ("{{ ''.__class__ }}", "it has no part '__class__'"),
    ("{{ first_name['__class__'].__mro__ }}", "first_name has no part '__class__'"),
    ("{{ first_name.split()[3] }}", "it has no [3], only 1 of them"),
    ("{{ attributes.pets }}", "attributes.pets is not a text: write a list's items"),
    ("{{ attributes }}", "name one of the fields"), ("{{ attributes == 1 }}", "attributes holds fields"),
    ("{% for c in first_name %}{% endfor %}", "a loop needs a list: split a text with .split"),
    ("{{ first_name < 1 }}", "not supported between"), ("{{ attributes.pets == 1 }}", "lists cannot be compared"),
    ("{{ 1 in attributes.age }}", "`in` needs a list or a text on its right"),
    ("{{ first_name | truncate('a') }}", "`truncate` needs a number"),
    ("{{ first_name | join }}", "`join` needs a list"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_line(text: str, said: str) -> None:
    """Nor may a template see the insides of a program, or change what it is given."""
    with pytest.raises(ValueError, match="the template") as refused:
        filled(text)
    assert said in str(refused.value)


# --- what ends --------------------------------------------------------------------------------------------

HUGE: dict[str, Any] = {
    "f": "x" * 100_000, "l": [str(n) for n in range(1000)], "words": "a " * 500_000, "wide": "\U0001f600 " * 480_000,
    "huge": "x" * 20_000_000, "n": 10**4000, "d": {"l": ["<"] * 1000, "e": ""}, "e": "",
}  # fmt: skip
MAX_SECONDS, MAX_BYTES = 1.0, 50_000_000


def bounded(text: str, *, html: bool = False) -> str:
    """The text that a template makes of fields of all sizes, or the sentence that refuses it, within the bounds."""
    tracemalloc.start()
    began = time.process_time()
    try:
        return Template(text, "t", html=html).render(HUGE)
    except (UserError, ValueError) as error:
        return f"refused: {error}"
    finally:
        spent, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (spent < MAX_SECONDS, most < MAX_BYTES) == (True, True), f"{spent:.2f} s, {most / 1e6:.0f} MB"


@pytest.mark.parametrize("text", [
    "{{ 'x'.center(10**9) }}", "{{ 'x' | center(1000000000) }}", "{{ '%0999999999d' | format(1) }}",
    "{{ '{:>999999999}'.format(1) }}", "{{ '%10000000d' % 1 }}", "{{ 10**10**10 }}", "{{ 'x' * 10**9 }}",
    "{{ 10000000 * ['x'] }}", "{% for a in range(10**9) %}{% endfor %}", "{{ f | indent(1000000) }}",
    "{{ f | wordwrap(1) }}", "{{ l | batch(1) | slice(9) }}", "{{ huge | tojson }}", "{{ namespace(a=f) }}",
    "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "{% set a = f %}{% set a = a ~ a %}{{ a }}",
    "{% for a in l %}{% for b in l %}{% for c in l %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in l %}" * 45 + "{% endfor %}" * 45, "{% for a in l %}" * 2000 + "{% endfor %}" * 2000,
    "{% for a in l %}{% for b in l %}{% if 'y' in f %}{% endif %}{% endfor %}{% endfor %}",
    "{% for a in l %}{% for b in l %}{% if 'y' in l %}{% endif %}{% endfor %}{% endfor %}",
    "{% for a in l %}{% for b in l if b == f %}{% endfor %}{% endfor %}", "{% for a in words.split() %}{% endfor %}",
    "{{ f" + " ~ f" * 1100 + " }}", "{{ " + "(" * 20 + "f ~ f" + ") ~ f" * 20 + " }}", "{{ l | join(f) }}",
    "{{ f" + " | replace('x', 'xxxxx')" * 40 + " }}", "{{ f | replace('', f) }}", "{{ f" + " | title" * 40 + " }}",
    "{{ wide | title }}", "{{ wide ~ wide }}", "{{ wide | e | upper }}", "{{ words | title }}", "{{ huge }}",
    "{% if huge == huge %}{% endif %}", "{{ huge.split('x') }}", "{{ huge | replace('x', 'y') | length }}", "{{ l }}",
    "{{" + "(" * 50_000 + "1" + ")" * 40_000 + "}}", "{{" + "(" * 900 + "1" + ")" * 900 + "}}", "{{" + "[" * 90_000,
    "{{ " + "not " * 2000 + "f }}", "{{ " + "-" * 4000 + "1 }}", "{{ f" + " | upper" * 1200 + " }}",
    "{{ f" + ".a" * 2000 + " }}", "{{ f" + " and f" * 1200 + " }}", "{{ " + "1 if f else " * 600 + "2 }}",
    "{{ f" + " == f" * 1200 + " }}", "{{ " + "1" * 90_000 + " }}", "{{ 0x" + "f" * 90_000 + " }}", "{{" * 40_000,
    "{{ " + "1_" * 45_000 + "1 }}", "{{ " + "1." * 45_000 + " }}", "{{ " + "'" * 90_000 + " }}", "{#" * 40_000,
    "{% raw %}" * 9000, "{{ a }}" * 14_000, "{% if f %}" * 9000, "{%" * 40_000, "{%- -%}" * 14_000, "x" * 2_000_000,
])  # fmt: skip
def test_a_slip_ends(text: str) -> None:
    """Whatever stands in a template, it is refused within a second and 50 MB, in one sentence."""
    refused = bounded(text)
    assert refused.startswith("refused: ")
    assert len(refused) < 500


FIELD = st.sampled_from(["f", "l", "words", "wide", "huge", "n", "d", "d.l", "d.e", "e", "a", "b", "loop.index"])
SIMPLE = FIELD | st.sampled_from(["'x'", "'<'", "' '", "''", "7", "-1", "true", "none", "[f, l]", "'x' | safe"])


def expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Everything that the language does to smaller expressions."""
    functions = [
        name for name in (*FILTERS, *METHODS) if name not in ("replace", "split", "truncate", "default", "join")
    ]
    one = st.builds("{0} | {1}".format, inner, st.sampled_from([name for name in functions if name in FILTERS]))
    calls = ("({0} | replace({1}, {2}))", "({0} | join({1}))", "({0}).split({1})", "({0} | truncate(9, false, {1}))",
             "({0} | default({1}, true))", "({0} ~ {1} ~ {2})", "({0} if {1} else {2})", "({0} or {1})", "({0} in {1})",
             "({0} and {1})", "(not {0})", "({0} == {1})", "({0} < {1})", "({0})[{1}]", "({0})[1:9]", "[{0}, {1}, {2}]",
             "({0}).startswith({1})", "({0}).upper()", "({0} is defined)", "({0} | trim({1}))")  # fmt: skip
    return one | st.builds(lambda form, *parts: form.format(*parts), st.sampled_from(calls), inner, inner, inner)


EXPRESSION = st.recursive(SIMPLE, expressions, max_leaves=12)


def statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Everything that the language has around smaller templates."""
    forms = ("{{% for a in {1} %}}{0}{{% else %}}{2}{{% endfor %}}", "{{% for b in l if {1} %}}{0}{{% endfor %}}",
             "{{% for a in {1} %}}{{% for b in {1} %}}{0}{2}{{% endfor %}}{{% endfor %}}",
             "{{% if {1} %}}{0}{{% elif b %}}{2}{{% else %}}{0}{{% endif %}}")  # fmt: skip
    whole = st.builds(lambda form, *parts: form.format(*parts), st.sampled_from(forms), inner, EXPRESSION, inner)
    return whole | st.lists(inner, max_size=4).map("".join)


@settings(max_examples=share(60, 200), deadline=None)
@given(st.recursive(EXPRESSION.map("{{{{ {} }}}}".format) | st.just("<p>"), statements, max_leaves=8), st.booleans())
def test_whatever_is_allowed_is_bounded(text: str, html: bool) -> None:
    """Any template of the language, on fields of any size: a text that may be sent or a sentence, within the bounds."""
    made = bounded(text, html=html)
    assert len(made) <= 1_000_000
    assert "is not understood" not in made


def test_a_text_is_bounded() -> None:
    """A text that is longer than anybody takes is not made."""
    loop = "{% for p in attributes.pets %}{{ first_name }}{{ first_name }}{% endfor %}"
    with pytest.raises(ValueError, match="longer than 1,000,000 characters"):
        filled(loop, first_name="x" * 250_001)
    assert len(filled(loop, first_name="x" * 250_000)) == 1_000_000


def test_one_template_is_filled_in_many_times() -> None:
    """Each message has its own allowance, and nothing of the last one's."""
    template = Template("{% for n in l %}{% for m in l %}{% endfor %}{% endfor %}{{ first_name }}", "t")
    names, items = ("a", "b", "c"), [""] * 150
    assert [template.render({"first_name": name, "l": items}) for name in names] == ["a", "b", "c"]
    with pytest.raises(UserError, match="there is no such field, only none"):
        template.render({})
