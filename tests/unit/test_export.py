"""CSV: as RFC 4180 has it, and nothing in it that a spreadsheet would work out."""

from __future__ import annotations

import csv
import io

import pytest

from send_queue.cli.export import write_csv


def written(*values: object) -> str:
    to = io.StringIO(newline="")
    write_csv([{"a": value} for value in values], ["a"], to)
    return to.getvalue()


@pytest.mark.parametrize("text", ["=1+1", "+1415555+2671", "+14155552671\n=1", "-2", "@SUM(A1)", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    """A text that begins like one has an apostrophe before it, and is otherwise as it was."""
    assert [["a"], [f"'{text}"]] == list(csv.reader(io.StringIO(written(text), newline="")))


def test_no_cell_moves_the_cursor() -> None:
    """Control characters are named, but for the ends of lines; before a formula they do not hide it."""
    assert written("a\x1b[31m\nb", "\t=1", "\r=1") == "a\r\n\"a\\x1b[31m\nb\"\r\n'\\x09=1\r\n'\\x0d=1\r\n"


@pytest.mark.parametrize("value", ["+14155552671", "a=1", "Ada, Grace", 'a "quoted" name', "two\nlines", "", "émilie"])
def test_other_text_is_as_it_was(value: str) -> None:
    """With quotes where it needs them; lines end in CR LF."""
    text = written(value)
    assert [["a"], [value]] == list(csv.reader(io.StringIO(text, newline="")))
    assert (text[:3], text[-2:]) == ("a\r\n", "\r\n")


def test_numbers_and_nothing() -> None:
    """A number is one, also below zero; what is not there is empty."""
    assert written(-5, None, 1.5) == 'a\r\n-5\r\n""\r\n1.5\r\n'
