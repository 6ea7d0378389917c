"""Links to unsubscribe by: only their key makes and reads them, and they say nothing to anybody else."""

from __future__ import annotations

from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from send_queue.model import ConfigurationError, UserError
from send_queue.rules import unsubscribe
from send_queue.rules.unsubscribe import KEY, VERSION, Tokens

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
WORKSPACE = UUID(int=7)


@given(st.uuids(), st.sampled_from(["email", "sms"]), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_token_names_whom_it_was_made_for(workspace: UUID, channel: str, recipient: str) -> None:
    """Workspace, channel and recipient come back as they were, in any script, from a token that fits into a URL."""
    token = Tokens({KEY: OLD}).token(workspace, channel, recipient)
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.")
    assert unsubscribe.open({KEY: OLD}, f" {token}\n") == (workspace, channel, recipient)


def test_a_token_says_nothing_to_others() -> None:
    """The address is not in it, and two of the same person are not alike."""
    tokens = Tokens({KEY: OLD})
    first, second = (tokens.token(WORKSPACE, "email", "ana@example.com") for _ in range(2))
    assert first.startswith(VERSION)
    assert "ana" not in first
    assert first != second


def test_nobody_else_makes_one() -> None:
    """A letter changed anywhere, another key, another form: refused in one sentence that says what to do."""
    token = Tokens({KEY: OLD}).token(WORKSPACE, "email", "ana@example.com")
    other = "A" if token[40] != "A" else "B"
    wrong = [token[:40] + other + token[41:], token[:-4], token.removeprefix(VERSION), "v2." + token[3:], "", "é",
             Tokens({KEY: NEW}).token(WORKSPACE, "email", "ana@example.com")]  # fmt: skip
    for one in wrong:
        with pytest.raises(UserError, match="copy the whole last part of the link"):
            unsubscribe.open({KEY: OLD}, one)


def test_a_key_is_changed_without_breaking_links() -> None:
    """The first key makes, all of them open; a key that is dropped takes its links with it."""
    old = Tokens({KEY: OLD}).token(WORKSPACE, "email", "ana@example.com")
    both = {KEY: f"{NEW}, {OLD}"}
    assert unsubscribe.open(both, old)[2] == "ana@example.com"
    assert unsubscribe.open({KEY: NEW}, Tokens(both).token(WORKSPACE, "email", "bob@example.com"))[2]
    with pytest.raises(UserError):
        unsubscribe.open({KEY: NEW}, old)


@pytest.mark.parametrize(
    ("key", "words"), [("", "is not set"), (" , ", "is not set"), ("secret", "is not a valid key")]
)
def test_a_missing_or_wrong_key_says_what_to_do(key: str, words: str) -> None:
    """One sentence that names the variable, without what it holds."""
    with pytest.raises(ConfigurationError, match=words) as error:
        Tokens({KEY: key})
    assert KEY in str(error.value)
    assert "secret" not in str(error.value)
