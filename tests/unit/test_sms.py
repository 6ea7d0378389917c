"""Segments: what an SMS counts as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from send_queue.rules.sms import GSM_7, GSM_7_EXTENDED, segments


def test_the_alphabet_has_the_letters_of_its_table() -> None:
    """127 letters and the escape fill the 128 places of GSM 03.38; ten are reached by the escape."""
    assert (len(GSM_7), len(GSM_7_EXTENDED)) == (127, 10)
    assert not GSM_7 & GSM_7_EXTENDED


@pytest.mark.parametrize(("text", "count", "encoding"), [
    ("", 0, "GSM-7"),
    ("a" * 160, 1, "GSM-7"), ("a" * 161, 2, "GSM-7"), ("a" * 306, 2, "GSM-7"), ("a" * 307, 3, "GSM-7"),
    ("€" * 80, 1, "GSM-7"), ("€" * 81, 2, "GSM-7"),
    ("é à ß Ω", 1, "GSM-7"), ("ç", 1, "UCS-2"), ("’", 1, "UCS-2"),
    ("ж" * 70, 1, "UCS-2"), ("ж" * 71, 2, "UCS-2"), ("ж" * 134, 2, "UCS-2"), ("ж" * 135, 3, "UCS-2"),
    ("😀" * 35, 1, "UCS-2"), ("😀" * 36, 2, "UCS-2"),
])  # fmt: skip
def test_texts_are_counted_as_the_network_does(text: str, count: int, encoding: str) -> None:
    assert (segments(text).count, segments(text).encoding) == (count, encoding)


@pytest.mark.parametrize(("text", "count"), [
    ("a" * 152 + "€" + "a" * 152, 3),  # the escape pair goes over whole, and leaves a unit empty
    ("a" * 151 + "€" + "a" * 153, 2),
    ("😀" * 67, 3),  # 134 units: 33 and a half fit into 67
    ("😀" * 66, 2),
])  # fmt: skip
def test_no_letter_is_cut_through(text: str, count: int) -> None:
    assert segments(text).count == count


@given(st.text(max_size=500), st.text(max_size=5))
def test_more_text_is_never_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more).count >= segments(text).count


@given(st.text(alphabet=sorted(GSM_7), min_size=1, max_size=1000))
def test_plain_letters_fill_their_segments(text: str) -> None:
    assert segments(text).count == (1 if len(text) <= 160 else -(-len(text) // 153))
