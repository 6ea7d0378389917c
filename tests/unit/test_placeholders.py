"""Placeholders of all tools are known as such, and sentences of people are not."""

from __future__ import annotations

import doctest
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue.rules import placeholders
from send_queue.rules.placeholders import fold, found, meant


def test_examples_in_docstrings_hold() -> None:
    """The examples are the specification."""
    failed, tried = doctest.testmod(placeholders)
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize("odd", [
    "{{firstName}}", "{{ First Name }}", "{{contact.first_name}}", "{{first_name | default: 'there'}}", "{{#if x}}",
    "{{/if}}", "{{!Lead.Name}}", "{x}", "{First Name}", "{first-name}", "{!Contact.Name}", "{0}", "{Hi|Hello}",
    "{prénom}", "{% if company %}", "[First Name]", "[your name]", "[Company]", "[COMPANY_NAME]", "[JobTitle]",
    "[name here]", "[[anything]]", "<<name>>", "<First Name>", "«Vorname»", "%FIRSTNAME%", "%first_name%",
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
    "[New York]", "[…]", "a[0]", "x % y % z", "{", "%", "[", "<", "<title>",
])  # fmt: skip
def test_what_does_not(text: str) -> None:
    """Percents, links, notes, addresses, code and markup."""
    assert found(f"Hi {text}, bye", ["first_name"], html=text == "<title>") is None


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
    "piece", ["{", "{{", "{{a", "{a ", "[a ", "<<a", "%a", "%%", "{%", "*|", "{a|", "« ", "[[_", "{a.b"]
)
def test_looking_ends(piece: str) -> None:
    """Whatever stands in a text: 100,000 characters take less than a second."""
    began = time.process_time()
    found(piece * (100_000 // len(piece)))
    found(piece + "a " * 50_000)
    found(piece + " " * 100_000)
    assert time.process_time() - began < 3
