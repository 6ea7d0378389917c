"""Recipients: in which form they are stored, and which are refused before anything is."""

from __future__ import annotations

import pytest

from send_queue.rules.keys import key
from send_queue.rules.recipients import address, checked, same, suppressed


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


@pytest.mark.parametrize("address", ["ada@example.org", "Ada+x@bücher.example", "ada@mail.example.org"])
def test_a_mail_address_is_stored_as_it_is_written(address: str) -> None:
    assert checked("email", f" {address}\n") == address


@pytest.mark.parametrize("written", ["ada", "ada@", "@example.org", "a@b@c", "ada lovelace@example.org", "", "@",
                                     "ada@example.org, ben@example.org", "Ada <ada@example.org>"])  # fmt: skip
def test_what_is_no_mail_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"is not a mail address: write it as ada@example\.com"):
        checked("email", written)


@pytest.mark.parametrize("channel", ["linkedin_invite", "linkedin_message"])
@pytest.mark.parametrize("written", [
    "https://www.linkedin.com/in/ada-l", "http://linkedin.com/in/ada-l/", "linkedin.com/in/Ada-L?trk=x#top",
    "https://de.linkedin.com/in/ada-l/en", "WWW.LinkedIn.com/in/ADA-L", "in/ada-l", "/in/Ada-L/", " in/ada%2Dl ",
])  # fmt: skip
def test_a_profile_is_one_however_its_url_is_written(channel: str, written: str) -> None:
    assert same(channel, written) == "ada-l"


def test_an_id_is_as_it_is() -> None:
    """LinkedIn's ids of two people may differ by capitals alone, in a profile's URL too."""
    assert same("linkedin_invite", "ACoAAana") == "ACoAAana"
    assert same("linkedin_invite", "https://www.linkedin.com/in/ACoAAana/") == "ACoAAana"
    assert same("linkedin_invite", "https://example.org/in/Ada") == "https://example.org/in/Ada"
    assert same("log", "In/Ada") == "In/Ada"


def test_an_address_is_one_in_capitals_and_in_small_letters() -> None:
    assert same("email", " Ada@Example.ORG ") == same("email", "ada@example.org") == "ada@example.org"


@pytest.mark.parametrize(("channel", "recipient"), [
    ("email", "ada@example.org"), ("sms", "+1 (415) 555-2671"), ("sms", "0049 170 1234567"), (None, "ACoAAana"),
    (None, "ada@example.org"), (None, "+49 170 1234567"), (None, "https://example.org/@ada"),
    ("linkedin_invite", "in/ada"), (None, "https://www.linkedin.com/in/ada-l/"), ("log", "#N/A"), ("post", "acme.com"),
])  # fmt: skip
def test_who_can_be_suppressed(channel: str | None, recipient: str) -> None:
    assert key(suppressed(channel, recipient)) == key(recipient)


@pytest.mark.parametrize("channel", [None, "sms"])
@pytest.mark.parametrize("number", ["(415) 555-2600", "4155552600", "1 415 555 2600", "+1 415 555 2600"])
def test_a_number_is_suppressed_with_its_country(channel: str | None, number: str) -> None:
    """As the texts to it are sent: from its own +, or with the country that is given; without either it is refused."""
    assert suppressed(channel, number, "US") == "+14155552600"
    if not number.startswith("+"):
        with pytest.raises(ValueError, match=r"does not say its country: .*, or name it with --country GB"):
            suppressed(channel, number)


@pytest.mark.parametrize(("channel", "recipient", "why"), [
    ("email", "ACoAAana", "is not a mail address"), ("email", "+14155552671", "is not a mail address"),
    ("sms", "ada@example.org", "does not say its country"), ("sms", "415 555 2671", "does not say its country"),
    (None, "Ada Lovelace", "is no address, number, id or URL"), (None, "ada@", "is not a mail address"),
    (None, "a@x.org,b@x.org", "is not a mail address"), ("linkedin_invite", "Ada L", "is no profile of LinkedIn's"),
    (None, "#N/A", "is no address, number, id or URL"), (None, "-", "is no address, number, id or URL"),
    (None, "*@example.com", "is a whole domain"), (None, "@example.com", "is a whole domain"),
    (None, "example.com", "is a whole domain"), ("email", "*@example.com", "is a whole domain"),
    ("email", "example.com", "is a whole domain"), ("linkedin_message", "example.com", "is a whole domain"),
    (None, "https://www.linkedin.com/company/acme", "is no profile of LinkedIn's"),
    (None, "14155552602", "does not say its country"), (None, "020 7946 0958", "does not say its country"),
])  # fmt: skip
def test_what_would_suppress_nobody_is_refused(channel: str | None, recipient: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        suppressed(channel, recipient)


def test_other_channels_take_what_their_providers_take() -> None:
    assert checked("linkedin_invite", "ACoAAana") == "ACoAAana"


@pytest.mark.parametrize(("written", "sent"), [
    ("ana@straße.de", "ana@xn--strae-oqa.de"), ("Ana@BÜCHER.example", "Ana@xn--bcher-kva.example"),
    ("bea@example.com\u200b", "bea@example.com"), ("\uff42ea\uff20example.com", "bea@example.com"),
    ("ana@☃.example", None), ("ana@ꭰꭱ.example", None),
])  # fmt: skip
def test_a_domain_is_the_one_that_browsers_go_to(written: str, sent: str | None) -> None:
    """IDNA 2008, not transitional; what cannot be seen is no part of an address."""
    assert address(written) == sent
    assert sent is None or key(written) == sent.lower()


@pytest.mark.parametrize("written", [
    "+44 (0)20 7946 0958", "+44 20 7946 0958", "0044 020 79460958", "\u200b+44\u201320\u20137946 0958",
])  # fmt: skip
def test_a_number_is_one_however_it_is_dialled(written: str) -> None:
    assert checked("sms", written) == key(written) == "+442079460958"


@pytest.mark.parametrize("junk", ["#N/A", "N/A", "John Smith", "ada@example.org", "https://example.org/in/ada", "-",
                                  "https://www.linkedin.com/company/acme", "https://linkedin.com/in/"])  # fmt: skip
def test_what_is_no_profile_is_refused(junk: str) -> None:
    with pytest.raises(ValueError, match="is no profile of LinkedIn's"):
        checked("linkedin_invite", junk)


@pytest.mark.parametrize("nobody", ["null", "NONE", "nan", "undefined", "unknown", "n.a.", "TRUE", "no", "tbd", "me",
                                    "/in/null", "https://www.linkedin.com/in/undefined/", "/in/me/"])  # fmt: skip
def test_what_programs_write_for_nothing_is_nobody(nobody: str) -> None:
    """It is no slug, alone or in a URL; a word of people's cannot be told from one."""
    with pytest.raises(
        ValueError, match="stands for nobody, as programs and spreadsheets write it: give the profile's"
    ):
        checked("linkedin_invite", nobody)
    assert checked("linkedin_invite", "Engineer") == "Engineer"


@pytest.mark.parametrize(
    "several", ["https://www.linkedin.com/in/d20 https://x.com/d", "/in/dora smith", "/in/dora17,"]
)
def test_a_profile_is_one(several: str) -> None:
    """With a blank in it or a comma behind it, it is a part of something else."""
    with pytest.raises(ValueError, match="is no profile of LinkedIn's"):
        checked("linkedin_message", several)


@pytest.mark.parametrize("address", ["foo@example", "a@192.168.0.1", "a@b", "ada@localhost", "a@b.1"])
def test_a_mail_goes_to_a_domain(address: str) -> None:
    """With a dot in it, and a word at its end."""
    with pytest.raises(ValueError, match="is not a mail address"):
        checked("email", address)


@pytest.mark.parametrize("number", ["12345", "+4412345", "+44 123", "123456"])
def test_a_number_has_the_length_that_its_country_has(number: str) -> None:
    """What is dialled only inside of a town is none."""
    with pytest.raises(ValueError, match="is not a phone number that anybody can have"):
        checked("sms", number, "GB")
