"""Placeholders of all tools are known as such, and sentences of people are not."""

from __future__ import annotations

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue.rules import placeholders
from send_queue.rules.placeholders import beside, fold, found, is_nothing, meant


def test_examples_in_docstrings_hold() -> None:
    """The examples are the specification."""
    failed, tried = doctest.testmod(placeholders)
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize("odd", [
    "{{firstName}}", "{{ First Name }}", "{{contact.first_name}}", "{{first_name | default: 'there'}}", "{{#if x}}",
    "{{/if}}", "{{!Lead.Name}}", "{x}", "{First Name}", "{first-name}", "{!Contact.Name}", "{0}", "{Hi|Hello}",
    "{prénom}", "{% if company %}", "[First Name]", "[your name]", "[Company]", "[COMPANY_NAME]", "[JobTitle]",
    "[name here]", "[[anything]]", "<<name>>", "<First Name>", "«Vorname»", "%FIRSTNAME%", "%first_name%",
    "{{ .FirstName }}", "<%= first_name %>", "[FNAME]", "$first_name", "@first_name", "__first_name__", "#FirstName#",
    "((first_name))", ":first_name:", "|first_name|", "\uff1cfirst_name\uff1e", "\uff5bfirst_name\uff5d",
    "$pet", "|pet|",
    "%First Name%", "%%whatever it is%%", "%(first_name)s", "*|FNAME|*", "[pet]",
])  # fmt: skip
def test_what_looks_like_a_placeholder(odd: str) -> None:
    """The syntaxes of other tools, wherever they stand in a text."""
    assert found(f"Hi {odd}, how are you?", ["pet"]) == odd
    assert found(f"Hi,\n\n{odd}\n", ["pet"]) == odd


@pytest.mark.parametrize("text", [
    "50 % off, 20 % more", "100%sure%", "https://x.example/%C3%A9%20a?b=%7Bc%7D", "[see here]", "[1]", "[PDF]",
    "[my company](https://x.example)", '{"a": 1}', "{}", "{ color: red; }", "if (a < b && c > d) { return 1; }",
    "a << 3 >> b", "Ada <ada@example.org>", "«Bonjour»", "<3", "*bold* | *bold*", "f(x) = {1, 2, 3}", "C:\\%TEMP",
    "$5", "US$ 5", "$5k", "@ada", "ada@example.org", "#sales", "#1", "10:30", ":)", ":-|", ":smile:", ":phone:", "a|b",
    "a | b | c", "(x)", "((x))", "@company", "__init__", "__bold__", "#sales#", "$ADA", "see: this: that", "f(g(x))",
    "[New York]", "[…]", "a[0]", "x % y % z", "{", "%", "[", "<", "<title>",
])  # fmt: skip
def test_what_does_not(text: str) -> None:
    """Percents, links, notes, addresses, code and markup."""
    assert found(f"Hi {text}, bye", ["first_name"], html=text == "<title>") is None


SAID = st.sampled_from((
    "Hi Ada,", "it costs $5", "or $5,000", "ask @ada", "in #sales", "at 10:30", ":)", "a|b", "50 % off",
    "(really)", "[PDF]",
    "https://example.org/a_b?c=d#e", "Tom & Co.", "first name", "your company", "C#", "_this_", "*that*",
    "me@example.org",
    "the name is: Ada", "5 < 6 > 4", "name | title", "\u20ac 7", "re: hello", "#2 of 3", "& more", "1/2",
    "~ 3", "e-mail",
))  # fmt: skip


@given(st.lists(SAID, min_size=1, max_size=12))
def test_what_people_write_is_let_through(parts: list[str]) -> None:
    """Sums, handles, tags, moments, smileys and links, in any order, beside all fields that a person has."""
    fields = [
        "name",
        "first_name",
        "last_name",
        "company",
        "email",
        "phone",
        "linkedin_user_id",
        "timezone",
        "recipient",
    ]
    assert found(" ".join(parts), fields) is None
    assert beside(" ".join(parts) + " {first_name}") is None


@pytest.mark.parametrize(("text", "odd"), [
    ("Hi ${first_name}!", "${first_name}"), ("Hi {{{first_name}}}", "{{{first_name}}}"), ("#{First Name},",
    "#{First Name}"),
    ("%{company}", "%{company}"), ("Hi ${{ firstName }}", "${{ firstName }}"), ("for ${price}", None), ("#{tag}", None),
    ("ask @{handle}", None), ("{{first_name}} {first_name}", None), ("{{ {first_name} }}", None), ("$ {company}", None),
])  # fmt: skip
def test_a_field_in_the_signs_of_another_tool(text: str, odd: str | None) -> None:
    """Only a part of it would be filled in; a sum, a tag or a handle may be a field."""
    assert beside(text) == odd


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "Err:502", "N/A", "n/a",
                                  "null", "NULL",
                                  "None", "nan", "NaN", "undefined", "-", "--", " - ", "\u2014", "(null)",
                                  "\\N"])  # fmt: skip
def test_what_stands_for_nothing(cell: str) -> None:
    """What spreadsheets and programs write."""
    assert is_nothing(cell)


@pytest.mark.parametrize("cell", ["", "Null", "Nan", "Nanette", "-1", "A-B", "#1", "NA", "N", 7, None])
def test_what_does_not_stand_for_nothing(cell: object) -> None:
    """There are people who are called so."""
    assert not is_nothing(cell)


@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from(" _-."))
def test_a_field_is_known_however_it_is_written(words: list[str], part: str) -> None:
    """In capitals, in camelCase, with blanks; one that is called so goes before one that is alike."""
    field = "_".join(words)
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    for name in (field.upper(), part.join(words), f"  {part.join(words)} ", camel):
        assert fold(name) == fold(field)
        assert meant(name, [field, "other"]) == field
    assert meant(field, [field.upper(), field]) == field
    assert meant(field.upper(), [field, f"{field}_"]) is None


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "{{",
        "{{a",
        "{a ",
        "[a ",
        "<<a",
        "%a",
        "%%",
        "{%",
        "*|",
        "{a|",
        "« ",
        "[[_",
        "{a.b",
        "$",
        "$a",
        "@a",
        "__",
        "__a_",
        "#a ",
        "#a",
        "((",
        "((a ",
        ":a",
        ":a ",
        "|a",
        "|a ",
        "<%a ",
        "${a ",
    ],
)
def test_looking_ends(piece: str) -> None:
    """Whatever stands in a text: 100,000 characters take less than a second."""
    began = time.process_time()
    found(piece * (100_000 // len(piece)))
    found(piece + "a " * 50_000)
    found(piece + " " * 100_000)
    beside(piece * (100_000 // len(piece)))
    assert time.process_time() - began < 3
