"""Recipients: in which form they are stored, and which are refused before anything is."""

from __future__ import annotations

import pytest

from send_queue.recipients import checked


@pytest.mark.parametrize("written", ["+14155552671", "+1 (415) 555-2671", " +1-415-555-2671 ", "+1.415.555.2671"])
def test_a_phone_number_is_stored_in_one_form(written: str) -> None:
    assert checked("sms", written) == "+14155552671"


@pytest.mark.parametrize(("written", "why"), [
    ("4155552671", "does not say its country"), ("(415) 555-2671", "does not say its country"),
    ("", "does not say its country"), ("+", "is not a phone number"), ("+1415", "check its digits"),
    ("+999123456789", "is not a phone number"), ("+1415555267199", "check its digits"),
    ("+14155552671 ext 5", "check its digits"), ("ada@example.org", "does not say its country"),
])  # fmt: skip
def test_what_is_no_phone_number_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked("sms", written)


@pytest.mark.parametrize("url", ["https://example.org/hooks?id=7", "https://example.org:8443", "http://127.0.0.1:9/x"])
def test_the_url_of_a_webhook_is_stored_as_it_is(url: str) -> None:
    """Whether it may be called is for the run to say, which has the environment that allows it."""
    assert checked("webhook", url) == url


@pytest.mark.parametrize("url", ["example.org/hooks", "ftp://example.org", "https://", "https://a b/", "https://[::1",
                                 "https://example.org:99999/", "javascript:alert(1)"])  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not the URL of a webhook"):
        checked("webhook", url)


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="no password") as refused:
        checked("webhook", "https://me:hunter2@example.org/")
    assert "hunter2" not in str(refused.value)


def test_other_channels_take_what_their_providers_take() -> None:
    assert checked("linkedin_invite", "ACoAAana") == "ACoAAana"
