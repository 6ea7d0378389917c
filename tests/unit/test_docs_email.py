"""docs/email.md is true: each code is in the row of its outcome, and the example endpoint does what RFC 8058 asks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from send_queue.providers.meaning import Meaning
from send_queue.providers.sendgrid import errors as sendgrid_errors
from send_queue.providers.smtp.errors import AT, BASIC, BOUNCES, BY_STAGE, ENHANCED
from send_queue.rules import unsubscribe
from send_queue.rules.unsubscribe import KEY, Tokens

TEXT = (Path(__file__).parents[2] / "docs/email.md").read_text()


def outcomes(heading: str) -> dict[str, str]:
    """What the table below a heading says of each code."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].startswith("`"):
            found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[1]), cells[0])
    return found


def in_words(meaning: Meaning) -> str:
    if meaning.kind == "failed":
        return "`Failed`, and the recipient is one to suppress" if meaning.code in BOUNCES else "`Failed`"
    if meaning.kind == "retry":
        return f"`Retry` after {length(meaning.after)}"
    if meaning.after is None:
        return f"`Hold` of the {meaning.scope} until a person acts"
    ladder = f", doubling up to {length(meaning.ceiling)}" if meaning.ceiling else ""
    return f"`Hold` of the {meaning.scope}, {length(meaning.after)}{ladder}"


def length(duration: timedelta | None) -> str:
    assert duration is not None
    minutes = duration // timedelta(minutes=1)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def check(heading: str, meanings: Iterable[Meaning]) -> None:
    stated = outcomes(heading)
    for meaning in meanings:
        assert stated.get(meaning.code) == in_words(meaning), meaning.code


def test_each_error_of_sendgrids_is_in_the_row_of_its_outcome() -> None:
    """docs/email.md and the table agree."""
    check("SendGrid", [row[3] for row in sendgrid_errors.MEANINGS])


def test_each_reply_of_a_mail_server_is_in_the_row_of_its_outcome() -> None:
    """docs/email.md and the tables agree."""
    check("SMTP", [*ENHANCED.values(), *AT.values(), *BASIC.values(), *BY_STAGE.values()])


@pytest.mark.parametrize("variable", ["SENDGRID_API_KEY", "SENDGRID_BASE_URL", "SENDGRID_LAG_MINUTES", "SMTP_URL",
                                      "SMTP_PASSWORD", unsubscribe.KEY, unsubscribe.URL])  # fmt: skip
def test_each_variable_is_in_the_documents(variable: str) -> None:
    """What the environment may hold is in a table."""
    assert f"| `{variable}` |" in TEXT


def test_the_example_endpoint_takes_one_click(monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST with a token suppresses whom it names and is answered with nothing; a GET does nothing; another token is
    not found."""
    names: dict[str, Any] = {"__name__": "endpoint"}
    example = (Path(__file__).parents[2] / "examples/unsubscribe.py").read_text()
    exec(compile(example, "examples/unsubscribe.py", "exec"), names)
    suppressed: list[tuple[UUID, str, str]] = []
    names["suppress"] = lambda *whom: suppressed.append(whom)
    key = Fernet.generate_key().decode()
    monkeypatch.setenv(KEY, key)
    token = Tokens({KEY: key}).token(UUID(int=7), "email", "ana@example.com")

    def ask(method: str, path: str) -> str:
        said: list[str] = []
        body = names["application"](
            {"REQUEST_METHOD": method, "PATH_INFO": path}, lambda status, _headers: said.append(status)
        )
        assert b"".join(body) == b""
        return said[0]

    assert ask("GET", f"/stop/{token}") == "405 Method Not Allowed"
    assert ask("POST", "/stop/v1.other") == "404 Not Found"
    assert suppressed == []
    assert ask("POST", f"/stop/{token}") == "200 OK"
    assert suppressed == [(UUID(int=7), "email", "ana@example.com")]
